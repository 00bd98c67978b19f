// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package edge

import "math"

// descriptors returns how many files and connections the process may have open.
func descriptors() int { return math.MaxInt }
