// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package api

import "net/http"

// Handler returns what answers the requests.
func (s *Service) Handler() http.Handler { return s.server.Handler() }
