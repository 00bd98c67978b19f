// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

// LeftOut returns how many spans were left out because they had been added before, and
// because they had no valid span context.
func (s *Spans) LeftOut() (repeated, invalid int) { return s.leftOut.repeated, s.leftOut.invalid }
