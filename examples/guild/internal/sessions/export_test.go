// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import "time"

// SetWriteTime sets how long a client may take for one message. It comes before
// the first session.
func (s *Service) SetWriteTime(d time.Duration) { s.writeTime = d }

// How fast a client may send frames.
const (
	FramesPerSecond = framesPerSecond
	FramesAtOnce    = framesAtOnce
)
