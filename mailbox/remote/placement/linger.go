// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/waybill-go/waybill/mailbox/remote/placement/internal/ownership"
)

// Times for which a node that leaves hands on what others still send it.
const (
	lingerParts = 10 // of a lease, after the last message, at most maxLinger
	maxLinger   = time.Second
	lookParts   = 20 // of that time, between looks whether it is over
)

// heardField says, in a message to where a session that has ended was asked, that another one
// knows of its end.
const heardField = "waybill-heard"

// sayHeard tells the node of a session that has ended that this one sends it nothing more. What
// was sent before arrives before. Nobody waits for a node without a session.
func (k *Kind[M]) sayHeard(of string) {
	s := k.member.Session()
	if s == nil {
		return
	}
	err := k.conn.PublishMsg(&nats.Msg{Subject: k.claimSubject(of), Header: nats.Header{heardField: {s.ID}}})
	if err != nil {
		k.tell("a node that leaves does not know that this one knows", err)
	}
}

// heard takes notice of what sayHeard says.
func (k *Kind[M]) heard(m *nats.Msg) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e := k.endpoints[strings.TrimPrefix(m.Subject, k.claimSubject(""))]; e != nil {
		delete(e.unaware, m.Header.Get(heardField))
	}
}

// expect notes which sessions have to hear that this one ends. It returns nil if nothing is sent
// to this one any more.
func (k *Kind[M]) expect(s *ownership.Session) *endpoint {
	others := k.member.View().Alive()
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.endpoints[s.ID]
	if e == nil {
		return nil
	}
	e.unaware = make(map[string]struct{}, len(others))
	for _, other := range others {
		if other.ID != s.ID {
			e.unaware[other.ID] = struct{}{}
		}
	}
	return e
}

// linger returns when all sessions know that this one has ended and nothing has come for a while,
// or after a lease. A session that is silent for longer is lost, and need not know.
func (k *Kind[M]) linger(ctx context.Context, e *endpoint) {
	ctx, cancel := context.WithTimeout(ctx, k.config.Lease)
	defer cancel()
	pause := min(k.config.Lease/lingerParts, maxLinger)
	look := time.NewTicker(pause / lookParts)
	defer look.Stop()
	forwarded := atomic.LoadUint64(&k.counts.Forwarded)
	for since := time.Now(); time.Since(since) < pause; {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
		if n := atomic.LoadUint64(&k.counts.Forwarded); n != forwarded || k.someUnaware(e) {
			forwarded, since = n, time.Now()
		}
	}
}

// someUnaware reports whether there is a session that may not know that this one has ended.
func (k *Kind[M]) someUnaware(e *endpoint) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for id := range e.unaware {
		if k.state(id) == ownership.Alive {
			return true
		}
	}
	return false
}
