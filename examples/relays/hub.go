// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/mailbox"
)

// News is what every session gets.
type News struct{ Text string }

// bytesKey says on a session's span how much it has written to its client.
const bytesKey = attribute.Key("example.bytes")

// hub is a group of relays, each of which has a group of sessions.
type hub struct {
	relays  *mailbox.Group[News]
	sizes   map[mailbox.Ref[News]]int // how many sessions each relay has
	size    int                       // how many sessions there are in all
	pending sync.WaitGroup            // sessions that have yet to handle a message
	written atomic.Int64              // bytes, by all sessions
}

// newHub spawns the relays and their sessions: 100 for the first relay, 200 for the
// next, and so on.
func newHub(sys *mailbox.System) (*hub, error) {
	h := &hub{sizes: make(map[mailbox.Ref[News]]int)}
	var err error
	if h.relays, err = mailbox.NewGroup[News](sys, "relays"); err != nil {
		return nil, err
	}
	sessionKind, err := mailbox.NewKind[News](sys, "session")
	if err != nil {
		return nil, err
	}
	relayKind, err := mailbox.NewKind[News](sys, "relay")
	if err != nil {
		return nil, err
	}
	for n := 1; n <= relays; n++ {
		sessions, err := mailbox.NewGroup[News](sys, "sessions")
		if err != nil {
			return nil, err
		}
		for i := range 100 * n {
			session, err := sessionKind.Spawn("", h.session(i))
			if err != nil {
				return nil, err
			}
			if err := sessions.Join(session); err != nil {
				return nil, err
			}
		}
		relay, err := relayKind.Spawn("", h.relay(sessions))
		if err != nil {
			return nil, err
		}
		if err := h.relays.Join(relay); err != nil {
			return nil, err
		}
		h.sizes[relay] = 100 * n
		h.size += 100 * n
	}
	return h, nil
}

// publish broadcasts to the relays, and returns when all sessions have handled the
// news. It tells how many sessions each relay has, so that the spans of all sessions
// are planned here, once.
func (h *hub) publish(ctx context.Context, news News) {
	h.pending.Add(h.size)
	h.relays.BroadcastRelays(ctx, news, func(relay mailbox.Ref[News]) int { return h.sizes[relay] })
	h.pending.Wait()
}

// relay passes news on. The budget that it may spend is in its context.
func (h *hub) relay(sessions *mailbox.Group[News]) mailbox.Handler[News] {
	return func(ctx context.Context, news News) error {
		delivery := sessions.Broadcast(ctx, news)
		h.pending.Add(-delivery.Refused)
		return nil
	}
}

// session writes news to a client. How many bytes that takes depends on the client.
func (h *hub) session(i int) mailbox.Handler[News] {
	return func(ctx context.Context, news News) error {
		defer h.pending.Done()
		bytes := len(news.Text) + 100 + i%100
		h.written.Add(int64(bytes))
		trace.SpanFromContext(ctx).SetAttributes(bytesKey.Int(bytes))
		return nil
	}
}
