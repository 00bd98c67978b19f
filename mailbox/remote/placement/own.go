// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/routing"
	"github.com/waybill-go/waybill/mailbox/remote/internal/subject"
	"github.com/waybill-go/waybill/mailbox/remote/placement/internal/ownership"
)

// flight is a claim that is on its way, for all that wait for it.
type flight[M any] struct {
	done    chan struct{}
	session string     // of the owner
	placed  *placed[M] // if it is this node
	err     error
}

// place has this node own a process, unless another one does. It returns the session of the
// owner, and the process if it is here. There is one claim for an ID at a time.
func (k *Kind[M]) place(ctx context.Context, id, token string) (string, *placed[M], error) {
	if p := k.here(token); p != nil {
		return p.session.ID, p, nil
	}
	k.mu.Lock()
	f := k.flights[token]
	switch {
	case k.closed:
		k.mu.Unlock()
		return "", nil, mailbox.ErrStopped
	case f != nil:
		k.mu.Unlock()
	default:
		f = &flight[M]{done: make(chan struct{})}
		k.flights[token] = f
		k.wg.Go(func() { k.fly(f, id, token) })
		k.mu.Unlock()
	}
	select {
	case <-f.done:
		return f.session, f.placed, f.err
	case <-ctx.Done():
		return "", nil, ctx.Err()
	}
}

// fly claims a process.
func (k *Kind[M]) fly(f *flight[M], id, token string) {
	ctx, cancel := context.WithTimeout(k.ctx, k.config.Lease)
	defer cancel()
	f.session, f.placed, f.err = k.claim(ctx, id, token)
	k.mu.Lock()
	delete(k.flights, token)
	k.mu.Unlock()
	close(f.done)
}

// claim claims a process, and starts it here.
func (k *Kind[M]) claim(ctx context.Context, id, token string) (string, *placed[M], error) {
	s := k.member.Session()
	if s == nil || !s.Usable(k.config.now()) {
		return "", nil, ownership.ErrNoSession
	}
	if err := k.makeRoom(ctx, id, token); err != nil {
		return "", nil, err
	}
	defer func() { // The process is counted by then, if there is one.
		k.mu.Lock()
		defer k.mu.Unlock()
		k.coming--
	}()
	owner, err := k.member.Claim(ctx, s, id)
	if err != nil || owner.Session != s.ID {
		return owner.Session, nil, err
	}
	p := &placed[M]{kind: k, session: s, of: identity{
		kind: k.name, id: id, token: owner.Token, held: func() bool { return s.Held(k.config.now()) },
	}}
	if p.ref, err = k.local.GetOrSpawn(id, p.factory); err != nil {
		return "", nil, err
	}
	p.of.kill = p.ref.Kill
	k.mu.Lock()
	k.placed[token] = p
	k.mu.Unlock()
	select {
	case <-s.Over(): // It may have ended before the process was in the table.
		k.remove(token, p)
		p.ref.Kill()
		return "", nil, ownership.ErrNoSession
	default:
	}
	return s.ID, p, nil
}

// makeRoom waits until the process that had the ID before has ended, and takes a place for the
// next one. It returns an error if there is none.
func (k *Kind[M]) makeRoom(ctx context.Context, id, token string) error {
	if old, ok := k.local.Lookup(id); ok {
		select {
		case <-old.Done():
		case <-ctx.Done():
			return fmt.Errorf("its last process here has not ended: %w", ctx.Err())
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if p := k.placed[token]; p != nil && !p.isMoving() {
		delete(k.placed, token)
	}
	if n := len(k.placed) + k.coming; n >= k.config.MaxPlaced {
		return fmt.Errorf("%w: %d processes", mailbox.ErrFull, n)
	}
	k.coming++
	return nil
}

// remove forgets a process.
func (k *Kind[M]) remove(token string, p *placed[M]) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.placed[token] == p {
		delete(k.placed, token)
	}
}

// listen begins to hear what is sent to a session.
func (k *Kind[M]) listen(s *ownership.Session) error {
	prefix := k.subjectOf(s.ID, "")
	route := func(m *nats.Msg) (mailbox.Ref[M], routing.Process, routing.Verdict) {
		k.mu.RLock()
		p := k.placed[strings.TrimPrefix(m.Subject, prefix)]
		k.mu.RUnlock()
		if p == nil || p.session != s {
			return mailbox.Ref[M]{}, nil, routing.Elsewhere
		}
		verdict := p.take(m)
		return p.ref, p, verdict
	}
	served, err := remote.ServeRouted(k.node, prefix+"*", route, k.messages)
	if err != nil {
		return err
	}
	e := &endpoint{served: served}
	if e.claims, err = k.conn.Subscribe(k.claimSubject(s.ID), k.claimAsked); err != nil {
		k.silence(e)
		return err
	}
	k.mu.Lock()
	k.endpoints[s.ID] = e
	k.mu.Unlock()
	return nil
}

// silence ends what listen began, in the background.
func (k *Kind[M]) silence(e *endpoint) {
	k.wg.Go(func() {
		if e.claims != nil {
			_ = e.claims.Unsubscribe() // The connection is closed then.
		}
		ctx, cancel := context.WithTimeout(context.Background(), k.config.Lease)
		defer cancel()
		_ = e.served.Close(ctx) // What is left then has failed.
	})
}

// fenced kills all that a session owned, because its lease has run out.
func (k *Kind[M]) fenced(s *ownership.Session) {
	k.mu.Lock()
	var killed []*placed[M]
	for token, p := range k.placed {
		if p.session == s {
			killed = append(killed, p)
			delete(k.placed, token)
		}
	}
	e := k.endpoints[s.ID]
	delete(k.endpoints, s.ID)
	k.mu.Unlock()
	for _, p := range killed {
		p.ref.Kill()
	}
	atomic.AddUint64(&k.counts.Killed, uint64(len(killed)))
	if e != nil {
		k.silence(e)
	}
	k.tell("lost the lease, and its processes with it", ErrMoved, "processes", len(killed))
}

// claimAnswer is the answer to a request to own a process.
type claimAnswer struct {
	Session string `json:"session,omitempty"`
	Error   string `json:"error,omitempty"`
	Full    bool   `json:"full,omitempty"`
}

// maxID is the longest ID that is read, in bytes.
const maxID = 255

// claimAsked answers another node that asks this one to own a process. It does not block.
func (k *Kind[M]) claimAsked(m *nats.Msg) {
	if len(m.Header[heardField]) > 0 {
		k.heard(m)
		return
	}
	token, err := subject.Token(string(m.Data))
	if !k.mayAnswer(m.Reply) || len(m.Data) > maxID || err != nil {
		atomic.AddUint64(&k.counts.Foreign, 1)
		return
	}
	select {
	case k.claims <- struct{}{}:
	default:
		k.answer(m, claimAnswer{Error: "too many requests"})
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		<-k.claims
		return
	}
	k.wg.Go(func() {
		defer func() { <-k.claims }()
		session, _, err := k.place(k.ctx, string(m.Data), token)
		if err != nil {
			k.answer(m, claimAnswer{Error: err.Error(), Full: errors.Is(err, mailbox.ErrFull)})
			return
		}
		k.answer(m, claimAnswer{Session: session})
	})
}

// mayAnswer reports whether an answer may go there: to whoever has asked, and not to a subject
// of the server's or of a node's, which a stranger may want us to write to.
func (k *Kind[M]) mayAnswer(to string) bool {
	return to != "" && to[0] != '$' && !strings.HasPrefix(to, k.node.Prefix()+".")
}

func (k *Kind[M]) answer(m *nats.Msg, a claimAnswer) {
	data, err := json.Marshal(a)
	if err == nil {
		err = k.conn.Publish(m.Reply, data)
	}
	if err != nil {
		k.tell("request not answered", err)
	}
}
