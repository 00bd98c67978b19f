// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
)

// WithClock returns c with a clock.
func WithClock[M any](c Config[M], now func() time.Time) Config[M] {
	c.now = now
	return c
}

// Fenced returns how often the node has lost its lease. It takes no lock, so a clock may call it.
func Fenced[M any](k *Kind[M]) func() uint64 { return k.member.Counts().Fenced.Load }

// Identity returns a context of a placed process, and whether it was killed.
func Identity(kind, id string, token uint64, held *bool) (context.Context, *bool) {
	killed := new(bool)
	of := &identity{
		kind: kind, id: id, token: token,
		held: func() bool { return *held },
		kill: func() { *killed = true },
	}
	return &placedContext{context.Background(), of}, killed
}

// ReadState and WriteState are for fuzzing.
var (
	ReadState  = readState
	WriteState = writeState
)

// Tell has k tell its logger of something.
func Tell[M any](k *Kind[M], what string) { k.tell(what, ErrNoNode) }

// Held has the process with that token end as when it moves, with messages that wait for its next
// owner. It returns what hands them on.
func Held[M any](k *Kind[M], token string, data []byte, messages int) (movedTo func(subject string)) {
	k.mu.RLock()
	p := k.placed[token]
	k.mu.RUnlock()
	p.hold(k.ctx)
	_ = p.ref.Stop(k.ctx) // The context has not ended.
	for range messages {
		p.take(&nats.Msg{Data: data})
	}
	return p.movedTo
}
