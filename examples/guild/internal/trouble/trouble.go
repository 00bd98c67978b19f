// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package trouble makes the services go wrong while they run: on purpose, within
// bounds, and for a while. Operators switch it on to see what it looks like in the
// traces, the timings and the metrics.
//
// No trouble loses a post. Each is delivered once and in order all the same.
package trouble

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// ErrOnPurpose is what processes panic with.
var ErrOnPurpose = errors.New("an operator asked for this panic")

var (
	// ErrUnknown means that there is no trouble of that name.
	ErrUnknown = errors.New("there is no such trouble")
	// ErrOrder means that trouble was ordered that is out of bounds.
	ErrOrder = errors.New("this cannot be ordered")
	// ErrClosed means that there is no more trouble, since the program ends.
	ErrClosed = errors.New("the program ends")
)

// Config is what a [Board] needs to know. All fields are needed.
type Config struct {
	Guilds int // how many there are, numbered from 1
	// Post posts in a guild as people do, and returns when that is done.
	Post   func(ctx context.Context, guild int64, content string) error
	Logger *slog.Logger // is told what is switched on
}

// Board has a switch for each sort of trouble. Services call its methods where things
// can go wrong. A nil Board has no trouble. All methods may be called by any number of
// goroutines.
type Board struct {
	config Config
	// One of each sort, which services look at for every message.
	slowGuild, panicGuild, slowSessions, panicSession, fullMailbox, traffic toggle

	mu      sync.Mutex
	closed  bool
	working sync.WaitGroup
}

// toggle is one switch.
type toggle struct {
	now    atomic.Pointer[trouble] // nil while it is off
	latest atomic.Pointer[trouble] // also when it has ended; nil before there was any
}

// trouble is some that was ordered.
type trouble struct {
	order    Order
	until    time.Time
	ctx      context.Context //nolint:containedctx // Ends with the trouble.
	end      context.CancelFunc
	left     atomic.Int64 // how often it may happen, for what happens once
	happened atomic.Int64 // how often it did
	whom     atomic.Int64 // the number of the process that it happened to

	places sync.Map     // of the sessions that it has met, by their numbers, from 0; empty when it has ended
	met    atomic.Int64 // how many these are
}

// NewBoard makes a Board on which all is off.
func NewBoard(c Config) *Board { return &Board{config: c} }

func (b *Board) toggle(name Name) *toggle {
	switch name {
	case SlowGuild:
		return &b.slowGuild
	case PanicGuild:
		return &b.panicGuild
	case SlowSessions:
		return &b.slowSessions
	case PanicSession:
		return &b.panicSession
	case FullMailbox:
		return &b.fullMailbox
	case Traffic:
		return &b.traffic
	}
	return nil
}

// Begin switches trouble on, in the place of some of that name. It ends by itself. The
// error wraps [ErrUnknown], [ErrOrder] or [ErrClosed].
func (b *Board) Begin(name Name, order Order) error {
	s, ok := find(name)
	if !ok {
		return ErrUnknown
	}
	order, err := s.complete(order, b.config.Guilds)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	lasts := time.Duration(order[Seconds]) * time.Second
	t := &trouble{order: order, until: time.Now().Add(lasts)}
	t.ctx, t.end = context.WithTimeout(context.Background(), lasts)
	t.left.Store(1)
	at := b.toggle(name)
	if before := at.now.Load(); before != nil {
		before.end()
	}
	at.latest.Store(t)
	at.now.Store(t)
	context.AfterFunc(t.ctx, func() {
		at.now.CompareAndSwap(t, nil)
		t.places.Clear()
	})
	if name == Traffic {
		b.working.Go(func() { b.post(t) })
	}
	b.config.Logger.Info("trouble was ordered", slog.String("trouble", string(name)), slog.Any("order", order)) //nolint:sloglint // Whose trace would it be?
	return nil
}

// End switches trouble off. The error wraps [ErrUnknown].
func (b *Board) End(name Name) error {
	at := b.toggle(name)
	if at == nil {
		return ErrUnknown
	}
	if t := at.now.Load(); t != nil {
		t.end()
	}
	return nil
}

// Close ends all trouble, and returns when nothing is left of it. There is none
// afterwards.
func (b *Board) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	for _, s := range sorts {
		_ = b.End(s.Name) // All of these are known.
	}
	b.working.Wait()
}

// in returns the trouble that there is in a guild, nil for none.
func (s *toggle) in(guild int64) *trouble {
	if t := s.now.Load(); t != nil && t.order[Guild] == guild && t.ctx.Err() == nil {
		return t
	}
	return nil
}

// pause waits as long as the trouble delays messages, until ctx ends.
func (t *trouble) pause(ctx context.Context) {
	defer t.happened.Add(1)
	delay := time.NewTimer(time.Duration(t.order[DelayMS]) * time.Millisecond)
	defer delay.Stop()
	select {
	case <-delay.C:
	case <-t.ctx.Done():
	case <-ctx.Done():
	}
}

// isOneIn reports whether a session is one of those that the trouble picks: the first that it
// meets, and then one in so many. The number of a session says nothing of its guild and node, so
// none of a small guild might be picked by it.
func (t *trouble) isOneIn(session int64) bool {
	place, known := t.places.Load(session)
	if !known {
		place = t.met.Add(1) - 1
		t.places.Store(session, place)
	}
	return place.(int64)%t.order[OneIn] == 0 //nolint:forcetypeassert // Nothing else is in there.
}

// once reports whether it is the caller to whom the trouble happens. That is one. Its number
// is whom.
func (t *trouble) once(whom int64) bool {
	if !t.first() {
		return false
	}
	t.hit(whom)
	return true
}

// first is once for trouble that takes a while to happen. The caller calls hit when it has.
func (t *trouble) first() bool { return t != nil && t.left.Add(-1) == 0 }

// hit says that the trouble has happened to the process with that number.
func (t *trouble) hit(whom int64) {
	t.whom.Store(whom)
	t.happened.Add(1)
}
