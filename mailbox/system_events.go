// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"time"
)

// hears reports whether anybody is to be told of such an event.
func (s *System) hears(t EventType, err error) bool {
	return s.hook.wants(t) || s.log.wants(Event{Type: t, Err: err})
}

// tell tells the hook and the logger of e.
func (s *System) tell(e queuedEvent) {
	if s.hook.wants(e.Type) {
		s.hook.call(e.Event)
	}
	s.log.write(e.Event, e.totals)
}

// waitForEvents waits until everybody has been told of all that has happened, ctx
// ends, or a hook has held this up for a second.
func (s *System) waitForEvents(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_ = s.events.Wait(ctx)
}
