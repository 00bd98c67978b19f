// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Session is the time during which a node offers to run processes, from when it has come
// to when it leaves or its lease runs out. After that the node begins another one.
type Session struct {
	// ID is the name of the session. No other session has it.
	ID string

	lease   *Lease
	over    chan struct{}
	leaving atomic.Bool

	writing  chan struct{} // holds one: what who writes the record has taken
	record   sessionRecord
	revision uint64
}

// Held reports whether the node may act in the session at that time.
func (s *Session) Held(now time.Time) bool { return s.lease.Held(now) }

// Usable reports whether the node may own more in the session at that time.
func (s *Session) Usable(now time.Time) bool { return !s.leaving.Load() && s.Held(now) }

// Over returns a channel that is closed when nobody may act in the session any more.
func (s *Session) Over() <-chan struct{} { return s.over }

// end ends the session. It reports whether this call did.
func (s *Session) end() bool {
	if !s.lease.End() {
		return false
	}
	close(s.over)
	return true
}

// lock waits until nobody else writes the record.
func (s *Session) lock(ctx context.Context) error {
	select {
	case s.writing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Session) unlock() { <-s.writing }

// join begins a session. It returns nil if that failed.
func (m *Member) join(ctx context.Context) *Session {
	now := m.cfg.Now()
	s := &Session{
		ID: m.cfg.NewID(), lease: newLease(now), over: make(chan struct{}),
		record:  sessionRecord{Version: version, Node: m.cfg.Node, LeaseMS: m.cfg.Lease.Milliseconds()},
		writing: make(chan struct{}, 1),
	}
	if err := m.cfg.Prepare(s); err != nil {
		m.failed(err)
		s.end()
		return nil
	}
	sent := m.cfg.Now()
	err := m.bounded(ctx, func(ctx context.Context) (err error) {
		s.revision, err = m.cfg.Sessions.Create(ctx, m.sessionKey(s.ID), encode(s.record))
		return err
	})
	if err != nil || !s.lease.Extend(sent.Add(m.cfg.Lease)) {
		// It may exist, and then runs out like that of a node that was lost.
		m.failed(err)
		m.fence(s)
		return nil
	}
	m.view.saw(s.ID, s.record, s.revision, sent)
	m.current.Store(s)
	m.view.tell() // The watch may have been faster than the answer.
	return s
}

// keep renews the session until it is over or ctx has ended.
func (m *Member) keep(ctx context.Context, s *Session) {
	wait := m.cfg.Lease / renewals
	for {
		timer := time.NewTimer(max(min(wait, s.lease.Remaining(m.cfg.Now())), 0))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.over:
			timer.Stop()
			return
		case <-timer.C:
		}
		now := m.cfg.Now()
		if !s.Held(now) {
			m.fence(s)
			return
		}
		if wait > s.lease.Remaining(now) {
			continue // It was woken for the end of the lease, which has moved.
		}
		err := m.renew(ctx, s)
		switch {
		case err == nil:
			m.stats.Renewals.Add(1)
			wait = max(m.cfg.Lease/renewals-m.cfg.Now().Sub(now), 0)
		case errors.Is(err, ErrGone):
			m.fence(s)
			return
		case errors.Is(err, ErrConflict): // Its last renewal was written, and nobody said so.
			wait = 0
		default:
			m.failed(err)
			wait = m.cfg.Lease / retries
		}
	}
}

// renew renews the session once. The error wraps [ErrConflict] if it is worth trying again
// at once, and [ErrGone] if the session has been removed.
func (m *Member) renew(ctx context.Context, s *Session) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	if s.leaving.Load() {
		s.record.Leaving = true
	}
	value, key, sent := encode(s.record), m.sessionKey(s.ID), m.cfg.Now()
	var revision uint64
	err := m.bounded(ctx, func(ctx context.Context) (err error) {
		revision, err = m.cfg.Sessions.Update(ctx, key, value, s.revision)
		return err
	})
	if err == nil {
		s.revision = revision
		if !s.lease.Extend(sent.Add(m.cfg.Lease)) {
			return ErrGone
		}
		return nil
	}
	if !errors.Is(err, ErrConflict) {
		return err
	}
	var last Entry
	getErr := m.bounded(ctx, func(ctx context.Context) (err error) {
		last, err = m.cfg.Sessions.Get(ctx, key)
		return err
	})
	switch {
	case errors.Is(getErr, ErrNotFound):
		return ErrGone
	case getErr != nil:
		return getErr
	case last.Revision <= s.revision: // What was read is older than what was written.
		return errStale
	case !bytes.Equal(last.Value, value) && !bytes.Equal(last.Value, encode(s.stayed())):
		return ErrGone
	}
	s.revision = last.Revision
	return err
}

// stayed returns the record as it was before the session began to leave.
func (s *Session) stayed() sessionRecord {
	r := s.record
	r.Leaving = false
	return r
}

// fence ends a session whose lease has run out, and lets nothing act in it any more.
func (m *Member) fence(s *Session) {
	if !s.end() {
		return
	}
	m.current.CompareAndSwap(s, nil)
	m.stats.Fenced.Add(1)
	m.cfg.Fenced(s)
}

// Fence is for whoever finds that the lease of a session has run out, before the member
// does.
func (m *Member) Fence(s *Session) { m.fence(s) }

// Leaving announces that the session will end, so that others ask it to own nothing more.
func (m *Member) Leaving(ctx context.Context, s *Session) error {
	s.leaving.Store(true)
	for {
		err := m.renew(ctx, s)
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// Leave removes the session's record and ends it. The caller has given up all that the
// session owned. After an error the record may exist, and runs out later.
func (m *Member) Leave(ctx context.Context, s *Session) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	m.current.CompareAndSwap(s, nil)
	if !s.end() {
		return ErrGone
	}
	err := m.bounded(ctx, func(ctx context.Context) error {
		return m.cfg.Sessions.Delete(ctx, m.sessionKey(s.ID), s.revision)
	})
	m.view.removed(s.ID)
	return err
}
