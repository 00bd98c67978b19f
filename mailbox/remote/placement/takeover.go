// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/mailbox/remote/internal/subject"
)

// sessionGone notes that the session of another node is gone. Calls that it has not answered
// fail: at once if it was lost, and after a lease if it has left, because then they are
// answered, by it or by the next owner. It does not block.
func (k *Kind[M]) sessionGone(session string, left bool) {
	k.wg.Go(func() {
		if left {
			timer := time.NewTimer(k.config.Lease)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-k.ctx.Done():
			}
		}
		k.failTo(k.subjectOf(session, ""))
	})
}

// takeOver has this node own a process that the session of another node owned that is gone.
func (k *Kind[M]) takeOver(ctx context.Context, id string) error {
	token, err := subject.Token(id)
	if err != nil {
		return nil //nolint:nilerr // It was read as an ID, so it has one.
	}
	k.mu.RLock()
	p := k.placed[token]
	k.mu.RUnlock()
	if p != nil && p.session == k.member.Session() {
		return nil // If it has ended, it is given up soon.
	}
	if _, _, err = k.place(ctx, id, token); err != nil {
		k.tell("not taken over", err)
	}
	return err
}

// releaseEnded gives up processes that have ended, now and then. Until then they are started
// again here when somebody asks for them.
func (k *Kind[M]) releaseEnded() {
	timer := time.NewTicker(k.config.Lease / renewalParts)
	defer timer.Stop()
	for {
		select {
		case <-k.ctx.Done():
			return
		case <-timer.C:
		}
		var ended []string
		k.mu.RLock()
		for token, p := range k.placed {
			if !k.runs(p) && !p.isMoving() {
				ended = append(ended, token)
			}
		}
		k.mu.RUnlock()
		for _, token := range ended {
			k.releaseOne(token)
		}
	}
}

// renewalParts is how many times per lease ended processes are looked for.
const renewalParts = 2

// releaseOne gives up a process that has ended.
func (k *Kind[M]) releaseOne(token string) {
	k.mu.Lock()
	p := k.placed[token]
	if p == nil || k.flights[token] != nil || k.runs(p) || p.isMoving() {
		k.mu.Unlock()
		return
	}
	delete(k.placed, token)
	k.mu.Unlock()
	k.release(k.ctx, p)
}

func (k *Kind[M]) release(ctx context.Context, p *placed[M]) {
	if err := k.member.Release(ctx, p.of.id, p.of.token); err != nil {
		k.tell("not released", err)
		return
	}
	atomic.AddUint64(&k.counts.Released, 1)
}
