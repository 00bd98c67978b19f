// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// StallTime is how long the load waits while nothing reaches anybody.
const StallTime = 30 * time.Second

// Ledger keeps how far the clients of the load have come in their guilds. It is
// what the load waits for, and what all of its deliveries are accounted for in.
type Ledger struct {
	guilds   []account // from index 1
	joined   atomic.Int64
	taken    atomic.Int64  // messages that clients have taken, each once
	told     atomic.Int64  // messages that clients were told are gone
	others   atomic.Int64  // both, of clients that are counted elsewhere
	lacking  atomic.Int64  // the load's posts that some client of their guild lacks
	advanced chan struct{} // holds one when lacking or joined has changed
}

// account is one guild's part of the ledger.
type account struct {
	mu      sync.Mutex
	clients int
	posted  int64 // number of the load's latest post
	all     int64 // number of the latest message that every client has
	reached []int // how many clients have number all+1, how many all+2, and so on
}

// NewLedger makes a ledger of guilds 1 to guilds.
func NewLedger(guilds int) *Ledger {
	return &Ledger{guilds: make([]account, guilds+1), advanced: make(chan struct{}, 1)}
}

// Join adds a client that is to get all messages of its guild after number last.
// All clients must have joined before the load posts.
func (l *Ledger) Join(guild int, last int64) {
	l.joined.Add(1)
	l.enter(guild, last)
}

func (l *Ledger) enter(guild int, last int64) {
	a := &l.guilds[guild]
	a.mu.Lock()
	if a.clients == 0 {
		a.all, a.posted = last, last
	}
	a.clients++
	for seq := a.all + 1; seq <= last; seq++ { // What others have posted meanwhile.
		a.reach(seq)
	}
	a.mu.Unlock()
	l.advance()
}

// Take takes note that one more client of a guild has message number seq, after
// all those before.
func (l *Ledger) Take(guild int, seq int64) {
	l.taken.Add(1)
	l.change(guild, func(a *account) { a.reach(seq) })
}

// Tell takes note that one more client of a guild knows that it will not get the
// messages after number last up to number seq, after all those before.
func (l *Ledger) Tell(guild int, last, seq int64) {
	if seq > last {
		l.told.Add(seq - last)
		l.change(guild, func(a *account) {
			for last++; last <= seq; last++ {
				a.reach(last)
			}
		})
	}
}

// Post takes note of the load's latest post in a guild.
func (l *Ledger) Post(guild int, seq int64) {
	l.change(guild, func(a *account) { a.posted = seq })
}

func (l *Ledger) change(guild int, what func(*account)) {
	a := &l.guilds[guild]
	a.mu.Lock()
	before := a.lacking()
	what(a)
	lacking := a.lacking() - before
	a.mu.Unlock()
	if lacking != 0 {
		l.lacking.Add(lacking)
		l.advance()
	}
}

func (l *Ledger) advance() {
	select {
	case l.advanced <- struct{}{}:
	default:
	}
}

func (a *account) lacking() int64 {
	if a.clients == 0 {
		return 0
	}
	return max(a.posted-a.all, 0)
}

func (a *account) reach(seq int64) {
	if seq <= a.all { // It joined late.
		return
	}
	for int64(len(a.reached)) < seq-a.all {
		a.reached = append(a.reached, 0)
	}
	a.reached[seq-a.all-1]++
	a.settle()
}

// settle finds what every client has.
func (a *account) settle() {
	for len(a.reached) > 0 && a.reached[0] == a.clients {
		a.reached = a.reached[1:]
		a.all++
	}
}

// Joined returns how many clients have joined so far.
func (l *Ledger) Joined() int64 { return l.joined.Load() }

// Taken returns how many messages clients have taken, each once.
func (l *Ledger) Taken() int64 { return l.taken.Load() }

// Told returns how many messages clients were told are gone.
func (l *Ledger) Told() int64 { return l.told.Load() }

// Elsewhere takes note of how many messages the clients that are counted elsewhere have taken
// so far, or were told are gone.
func (l *Ledger) Elsewhere(n int64) { l.others.Store(n) }

// WaitJoined blocks until n clients have joined.
func (l *Ledger) WaitJoined(ctx context.Context, n int) error {
	return l.wait(ctx, func() error {
		if missing := int64(n) - l.joined.Load(); missing > 0 {
			return fmt.Errorf("%d of %d sessions are not in their guilds", missing, n)
		}
		return nil
	})
}

// WaitTaken blocks until no more than n of the load's posts are lacking anywhere. Until
// then it says from time to time how many are.
func (l *Ledger) WaitTaken(ctx context.Context, n int64, say func(lacking int64)) error {
	return l.wait(ctx, func() error {
		lacking := l.lacking.Load()
		say(lacking)
		if lacking > n {
			return fmt.Errorf("%d posts have not reached all sessions of their guilds", lacking)
		}
		return nil
	})
}

// wait blocks until done returns nil. It gives up, with done's error, when ctx
// ends or nothing has reached anybody for a while, however much there is to do.
func (l *Ledger) wait(ctx context.Context, done func() error) error {
	stalled := time.NewTimer(StallTime)
	defer stalled.Stop()
	moved := func() int64 { return l.taken.Load() + l.others.Load() }
	before := moved()
	for {
		err := done()
		if err == nil {
			return nil
		}
		select {
		case <-l.advanced:
			stalled.Reset(StallTime)
		case <-stalled.C:
			now := moved()
			if now == before {
				return fmt.Errorf("%w, and nothing has moved for %v", err, StallTime)
			}
			before = now
			stalled.Reset(StallTime)
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", err, ctx.Err())
		}
	}
}
