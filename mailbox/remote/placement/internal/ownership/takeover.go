// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	firstLook = 16 // per lease: the first wait before records are looked through again
	lastLook  = 16 // leases: the longest
	takers    = 32 // processes are taken over at the same time
)

// takeOver takes over what sessions owned that are gone, until ctx ends. It looks through the
// records when the node begins, and whenever a session is gone. While a process is left that
// has no owner, it looks again: when the view changes, because whoever comes first for it may
// be gone too, and after waits that double, because it may have failed.
func (m *Member) takeOver(ctx context.Context) {
	first := m.cfg.Lease / firstLook
	wait := first
	for ctx.Err() == nil {
		changed := m.view.Changed()
		select {
		case <-m.lost: // The view knows it already.
		default:
		}
		var again <-chan time.Time
		if m.takeOverOnce(ctx) {
			changed = nil
		} else {
			again = time.After(wait)
		}
		select {
		case <-ctx.Done():
		case <-m.lost:
			wait = first
		case <-changed:
			wait = first
		case <-again:
			wait = min(2*wait, lastLook*m.cfg.Lease)
		}
	}
}

// takeOverOnce looks through all records once, and takes over what this node comes first for.
// It reports whether each process has an owner now. What the node's own session owns is claimed
// as well: the answer to a claim may have been lost.
func (m *Member) takeOverOnce(ctx context.Context) (all bool) {
	own := m.Session()
	if own == nil || !own.Usable(m.cfg.Now()) || !m.view.Ready() {
		return false
	}
	var taking sync.WaitGroup
	var left atomic.Bool
	var failed error
	slots := make(chan struct{}, takers)
	err := m.Owned(ctx, func(id, session string) bool {
		if session != own.ID {
			var gone bool
			if gone, failed = m.Gone(ctx, session); !gone {
				return failed == nil
			}
			if ranked := m.view.Rank(id, m.cfg.Now()); len(ranked) == 0 || ranked[0] != own.ID {
				left.Store(true)
				return true
			}
		}
		slots <- struct{}{}
		taking.Go(func() {
			defer func() { <-slots }()
			if m.cfg.TakeOver(ctx, id) != nil {
				left.Store(true)
			}
		})
		return true
	})
	taking.Wait()
	if err = errors.Join(err, failed); err != nil {
		m.failed(err)
		return false
	}
	return !left.Load()
}
