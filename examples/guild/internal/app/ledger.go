// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// stallTime is how long the load waits while nothing reaches anybody.
const stallTime = 30 * time.Second

// ledger keeps how far the clients of the load have come in their guilds. It is
// what the load waits for, and what all of its deliveries are accounted for in.
type ledger struct {
	guilds   []account // from index 1
	joined   atomic.Int64
	taken    atomic.Int64  // messages that clients have taken, each once
	told     atomic.Int64  // messages that clients were told are gone
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

func newLedger(guilds int) *ledger {
	return &ledger{guilds: make([]account, guilds+1), advanced: make(chan struct{}, 1)}
}

// join adds a client that is to get all messages of its guild after number last.
// All clients must have joined before the load posts.
func (l *ledger) join(guild int, last int64) {
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
	l.joined.Add(1)
	l.advance()
}

// take takes note that one more client of a guild has message number seq, after
// all those before.
func (l *ledger) take(guild int, seq int64) {
	l.taken.Add(1)
	l.change(guild, func(a *account) { a.reach(seq) })
}

// tell takes note that one more client of a guild knows that it will not get the
// messages after number last up to number seq, after all those before.
func (l *ledger) tell(guild int, last, seq int64) {
	if seq > last {
		l.told.Add(seq - last)
		l.change(guild, func(a *account) {
			for last++; last <= seq; last++ {
				a.reach(last)
			}
		})
	}
}

// post takes note of the load's latest post in a guild.
func (l *ledger) post(guild int, seq int64) {
	l.change(guild, func(a *account) { a.posted = seq })
}

func (l *ledger) change(guild int, what func(*account)) {
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

func (l *ledger) advance() {
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
	for len(a.reached) > 0 && a.reached[0] == a.clients {
		a.reached = a.reached[1:]
		a.all++
	}
}

// waitJoined blocks until n clients have joined.
func (l *ledger) waitJoined(ctx context.Context, n int) error {
	return l.wait(ctx, func() error {
		if missing := int64(n) - l.joined.Load(); missing > 0 {
			return fmt.Errorf("%d of %d sessions are not in their guilds", missing, n)
		}
		return nil
	})
}

// waitTaken blocks until no more than n of the load's posts are lacking anywhere.
func (l *ledger) waitTaken(ctx context.Context, n int64) error {
	return l.wait(ctx, func() error {
		if lacking := l.lacking.Load(); lacking > n {
			return fmt.Errorf("%d posts have not reached all sessions of their guilds", lacking)
		}
		return nil
	})
}

// wait blocks until done returns nil. It gives up, with done's error, when ctx
// ends or nothing has reached anybody for a while, however much there is to do.
func (l *ledger) wait(ctx context.Context, done func() error) error {
	stalled := time.NewTimer(stallTime)
	defer stalled.Stop()
	taken := l.taken.Load()
	for {
		err := done()
		if err == nil {
			return nil
		}
		select {
		case <-l.advanced:
			stalled.Reset(stallTime)
		case <-stalled.C:
			now := l.taken.Load()
			if now == taken {
				return fmt.Errorf("%w, and nothing has moved for %v", err, stallTime)
			}
			taken = now
			stalled.Reset(stallTime)
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", err, ctx.Err())
		}
	}
}
