// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/internal/closing"
	"github.com/waybill-go/waybill/mailbox/remote/placement/internal/ownership"
)

// Close leaves in order. No other process is placed here. Each process that is here handles
// what it has accepted, saves its state and ends; what comes for it meanwhile waits, up to 4,096
// messages, and is handed on to its next owner. Then the others hear that the node has left, and
// what they have sent it before is handed on too: until the nodes that run the kind say that they
// know, and nothing has come for a tenth of a lease or a second, whichever is shorter; or for a lease.
//
// Close blocks until that is done, or until ctx ends. What was not handed over then is lost as if
// the node had been: other nodes take it over when its lease is over, and the error wraps
// ctx.Err(). If there is no other node, what waited is refused.
//
// References of the kind are stopped. Close may be called again, and then does nothing. It does not
// wait for a connection that takes nothing, because its link hangs, for more than a second after
// ctx has ended.
func (k *Kind[M]) Close(ctx context.Context) error {
	ctx = header.OrBackground(ctx)
	return closing.Within(ctx, func() error { return k.close(ctx) })
}

func (k *Kind[M]) close(ctx context.Context) error {
	k.closing.Lock()
	defer k.closing.Unlock()
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		return nil
	}
	k.mu.Unlock()
	err := k.leave(ctx)
	k.mu.Lock()
	for e := k.recent.Front(); e != nil; e = k.recent.Front() {
		k.drop(e)
	}
	k.mu.Unlock()
	k.end()
	if err != nil {
		return fmt.Errorf("placement: kind %q: close: %w", k.name, err)
	}
	return nil
}

// leave hands over what the node owns, and then its session.
func (k *Kind[M]) leave(ctx context.Context) error {
	s := k.member.Session()
	if s == nil {
		return nil
	}
	if err := k.member.Leaving(ctx, s); err != nil {
		if errors.Is(err, ownership.ErrGone) {
			return nil // All is lost already.
		}
		k.tell("others do not know that the node leaves", err)
	}
	if err := k.handOver(ctx, s); err != nil {
		return err
	}
	e := k.expect(s)
	if err := k.member.Leave(ctx, s); err != nil && !errors.Is(err, ownership.ErrGone) {
		return err
	}
	if e == nil {
		return nil
	}
	k.linger(ctx, e)
	k.mu.Lock()
	delete(k.endpoints, s.ID)
	k.mu.Unlock()
	_ = e.claims.Unsubscribe() // The connection is closed then.
	return e.served.Close(ctx)
}

// handOver gives up all processes of the session, also those whose claims are on their way. No
// claim begins any more: the session leaves.
func (k *Kind[M]) handOver(ctx context.Context, s *ownership.Session) error {
	k.mu.RLock()
	flights := slices.Collect(maps.Values(k.flights))
	k.mu.RUnlock()
	moved := make(map[*placed[M]]struct{})
	failed := k.moveAll(ctx, s, moved)
	for _, f := range flights {
		select {
		case <-f.done: // It ends within a lease.
		case <-ctx.Done():
			return fmt.Errorf("processes are on their way here: %w", ctx.Err())
		}
	}
	failed += k.moveAll(ctx, s, moved)
	if failed > 0 {
		return fmt.Errorf("%d processes were not handed over: %w", failed, errors.Join(ctx.Err(), mailbox.ErrStopped))
	}
	return nil
}

// moveAll gives up the processes of the session that are not in moved, several at a time, and
// adds them to it. It returns how many it could not give up.
func (k *Kind[M]) moveAll(ctx context.Context, s *ownership.Session, moved map[*placed[M]]struct{}) uint64 {
	k.mu.RLock()
	var all []*placed[M]
	for _, p := range k.placed {
		if _, before := moved[p]; p.session == s && !before {
			all = append(all, p)
			moved[p] = struct{}{}
		}
	}
	k.mu.RUnlock()
	var moves sync.WaitGroup
	var failed atomic.Uint64
	slots := make(chan struct{}, parallel)
	for _, p := range all {
		slots <- struct{}{}
		moves.Go(func() {
			defer func() { <-slots }()
			if !k.move(ctx, p) {
				failed.Add(1)
			}
		})
	}
	moves.Wait()
	return failed.Load()
}

// move stops a process, gives it up, and has another node own it. It reports false if the
// process was not given up.
func (k *Kind[M]) move(ctx context.Context, p *placed[M]) bool {
	holding, cancel := context.WithTimeout(ctx, k.config.Lease)
	p.hold(holding)
	cancel()
	if p.ref.Stop(ctx) != nil || !p.session.Held(k.config.now()) {
		p.movedTo("")
		return false
	}
	if err := k.member.Release(ctx, p.of.id, p.of.token); err != nil {
		k.tell("not released", err)
		p.movedTo("")
		return false
	}
	atomic.AddUint64(&k.counts.Released, 1)
	session, on := k.successor(ctx, p), ""
	if session != "" {
		_, token := p.names()
		on = k.subjectOf(session, token)
		atomic.AddUint64(&k.counts.HandedOver, 1)
	}
	p.movedTo(on)
	return true
}

// successor has another node own a process that was given up. It returns its session, or
// nothing if there is no other node.
func (k *Kind[M]) successor(ctx context.Context, p *placed[M]) string {
	ctx, cancel := context.WithTimeout(ctx, k.config.Lease)
	defer cancel()
	id, token := p.names()
	if len(k.member.View().Rank(id, k.config.now())) == 0 {
		return ""
	}
	session, _, err := k.resolve(ctx, id, token)
	if err != nil {
		k.tell("no successor", err)
	}
	return session
}
