// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/placement/internal/ownership"
)

// Times, in parts of a lease.
const (
	retryParts = 16 // the longest wait before an owner is looked for again
	askParts   = 2  // for one answer, at most askTimeout
	resolveFor = 3  // leases for which a message waits until its process has an owner
)

// askTimeout is the longest wait for one answer. A request may be lost.
const askTimeout = 2 * time.Second

// askFor returns a context for one request.
func (k *Kind[M]) askFor(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, min(k.config.Lease/askParts, askTimeout))
}

// firstRetry is the wait before an owner is looked for the second time.
const firstRetry = 5 * time.Millisecond

// resolve finds the owner of a process, and sees to it that it has one. It returns the owner's
// session, and the process if it is here.
func (k *Kind[M]) resolve(ctx context.Context, id, token string) (string, *placed[M], error) {
	wait := firstRetry
	var missing error // as far as is known
	if len(k.member.View().Rank(id, k.config.now())) == 0 {
		missing = ErrNoNode
	}
	for {
		changed := k.member.View().Changed()
		session, p, err := k.find(ctx, id, token)
		if err == nil {
			return session, p, nil
		}
		if missing == nil || ctx.Err() == nil { // Otherwise it may say no more than that ctx has ended.
			missing = err
		}
		if errors.Is(err, ErrForeign) || errors.Is(err, mailbox.ErrFull) || errors.Is(err, mailbox.ErrStopped) {
			return "", nil, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return "", nil, fmt.Errorf("%w: %w", ctx.Err(), missing)
		case <-k.ctx.Done():
			timer.Stop()
			return "", nil, mailbox.ErrStopped
		case <-changed:
			timer.Stop()
		case <-timer.C:
		}
		wait = min(2*wait, max(k.config.Lease/retryParts, firstRetry))
	}
}

// find looks for the owner once.
func (k *Kind[M]) find(ctx context.Context, id, token string) (string, *placed[M], error) {
	owner, err := k.lookup(ctx, id)
	switch {
	case err == nil:
		return k.confirm(ctx, owner, id, token)
	case errors.Is(err, ownership.ErrForeign):
		return "", nil, fmt.Errorf("%w: %w", ErrForeign, err)
	case !errors.Is(err, ownership.ErrNotFound):
		return "", nil, err
	}
	err = ErrNoNode
	for _, candidate := range k.member.View().Rank(id, k.config.now()) {
		session, p, asked := k.confirm(ctx, candidate, id, token)
		if asked == nil || errors.Is(asked, mailbox.ErrFull) || ctx.Err() != nil {
			return session, p, asked
		}
		err = asked // The next one may be there.
	}
	return "", nil, err
}

// lookup returns the session that owns the process. The error wraps [ownership.ErrNotFound] if
// nobody does, or if the one whom its record names is gone.
func (k *Kind[M]) lookup(ctx context.Context, id string) (string, error) {
	ctx, cancel := k.askFor(ctx)
	defer cancel()
	owner, err := k.member.Lookup(ctx, id)
	if err != nil {
		return "", err
	}
	gone, err := k.member.Gone(ctx, owner.Session)
	switch {
	case err != nil:
		return "", err
	case gone:
		return "", ownership.ErrNotFound
	}
	return owner.Session, nil
}

// confirm asks a session to own the process, and then the one that it says owns it.
func (k *Kind[M]) confirm(ctx context.Context, session, id, token string) (string, *placed[M], error) {
	for range 2 {
		var owner string
		var p *placed[M]
		var err error
		if s := k.member.Session(); s != nil && s.ID == session {
			owner, p, err = k.place(ctx, id, token)
		} else {
			owner, err = k.ask(ctx, session, id)
		}
		if err != nil || owner == session {
			return owner, p, err
		}
		session = owner
	}
	return "", nil, ownership.ErrConflict
}

// ask asks the session of another node to own the process.
func (k *Kind[M]) ask(ctx context.Context, session, id string) (string, error) {
	ctx, cancel := k.askFor(ctx)
	defer cancel()
	m, err := k.conn.RequestWithContext(ctx, k.claimSubject(session), []byte(id))
	if err != nil {
		return "", err
	}
	var a claimAnswer
	if len(m.Data) > maxRecord || json.Unmarshal(m.Data, &a) != nil ||
		a.Error == "" && !ownership.ValidSession(a.Session) {
		atomic.AddUint64(&k.counts.Foreign, 1)
		return "", ErrForeign
	}
	switch {
	case a.Full:
		return "", fmt.Errorf("%w: %s", mailbox.ErrFull, a.Error)
	case a.Error != "":
		return "", errors.New(a.Error) //nolint:err113 // It is the text of another node.
	}
	return a.Session, nil
}

// reference is a reference to a process on another node.
type reference[M any] struct {
	kind      *Kind[M]
	id, token string
	ref       mailbox.Ref[M]
	session   atomic.Pointer[string] // that owns the process, as far as is known
	resolving chan struct{}          // holds one, who looks for the owner
}

// ended reports whether somebody has stopped the reference.
func (r *reference[M]) ended() bool {
	select {
	case <-r.ref.Done():
		return true
	default:
		return false
	}
}

// reference returns the reference that there is, and notes that it was asked for. One that
// somebody has stopped is none.
func (k *Kind[M]) reference(token string) *reference[M] {
	k.mu.RLock()
	e := k.known[token]
	front := e != nil && k.recent.Front() == e
	k.mu.RUnlock()
	if e == nil {
		return nil
	}
	r := e.Value.(*reference[M]) //nolint:forcetypeassert // The list holds nothing else.
	if r.ended() {
		return nil
	}
	if !front {
		k.mu.Lock()
		k.recent.MoveToFront(e) // If it is no longer in the list, that does nothing.
		k.mu.Unlock()
	}
	return r
}

// refer returns a reference to a process that the session of another node owns.
func (k *Kind[M]) refer(id, token, session string) (mailbox.Ref[M], error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e := k.known[token]; e != nil {
		r := e.Value.(*reference[M]) //nolint:forcetypeassert // The list holds nothing else.
		if !r.ended() {
			r.session.Store(&session)
			return r.ref, nil
		}
		k.drop(e)
	}
	if k.closed {
		return mailbox.Ref[M]{}, mailbox.ErrStopped
	}
	r := &reference[M]{kind: k, id: id, token: token, resolving: make(chan struct{}, 1)}
	r.session.Store(&session)
	var err error
	if r.ref, err = k.newRef(id, r); err != nil {
		return mailbox.Ref[M]{}, err
	}
	k.known[token] = k.recent.PushFront(r)
	if k.recent.Len() > k.config.MaxReferences {
		k.drop(k.recent.Back())
	}
	return r.ref, nil
}

// drop ends a reference, once it has sent what it has taken.
func (k *Kind[M]) drop(e *list.Element) {
	r := e.Value.(*reference[M]) //nolint:forcetypeassert // The list holds nothing else.
	k.recent.Remove(e)
	delete(k.known, r.token)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = r.ref.Stop(ended) // It does not wait.
}

// Name implements routing.Target.
func (r *reference[M]) Name() string { return r.kind.subjectOf("*", r.token) }

// Subject implements routing.Target.
func (r *reference[M]) Subject(ctx context.Context) (string, error) {
	session := *r.session.Load()
	if r.kind.isThere(session) {
		return r.kind.subjectOf(session, r.token), nil
	}
	return r.Again(ctx, r.kind.subjectOf(session, r.token))
}

// Again implements routing.Target.
func (r *reference[M]) Again(ctx context.Context, failed string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveFor*r.kind.config.Lease)
	defer cancel()
	select {
	case r.resolving <- struct{}{}:
		defer func() { <-r.resolving }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if session := *r.session.Load(); r.kind.subjectOf(session, r.token) != failed { // Somebody was faster.
		return r.kind.subjectOf(session, r.token), nil
	}
	session, _, err := r.kind.resolve(ctx, r.id, r.token)
	if err != nil {
		return "", err
	}
	r.session.Store(&session)
	atomic.AddUint64(&r.kind.counts.Followed, 1)
	return r.kind.subjectOf(session, r.token), nil
}
