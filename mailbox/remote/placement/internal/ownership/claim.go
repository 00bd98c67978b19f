// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"context"
	"errors"
	"fmt"

	"github.com/waybill-go/waybill/mailbox/remote/internal/subject"
)

// attempts is how often a claim is tried again after another node was faster.
const attempts = 16

// Owner is who owns a process.
type Owner struct {
	Session string
	Node    string
	// Token is the fencing token of a claim that succeeded, and 0 otherwise.
	Token uint64
}

func (m *Member) ownerKey(id string) (string, error) {
	token, err := subject.Token(id)
	if err != nil {
		return "", err
	}
	return m.cfg.Kind + "." + token, nil
}

// Claim makes the session the owner of a process, unless another one that is not gone owns
// it. It returns the owner. The error wraps [ErrNoSession] if the session must own nothing
// more. After any other error the session may own the process without knowing: then
// another claim finds that out.
func (m *Member) Claim(ctx context.Context, s *Session, id string) (Owner, error) {
	key, err := m.ownerKey(id)
	if err != nil {
		return Owner{}, err
	}
	mine := encode(ownerRecord{Version: version, ID: id, Node: m.cfg.Node, Session: s.ID})
	for range attempts {
		if s.leaving.Load() || !s.Held(m.cfg.Now()) {
			return Owner{}, ErrNoSession
		}
		revision, other, err := m.tryClaim(ctx, s, key, mine)
		switch {
		case errors.Is(err, ErrConflict):
			m.stats.Conflicts.Add(1)
		case err != nil:
			return Owner{}, err
		case other != nil:
			return Owner{Session: other.Session, Node: other.Node}, nil
		default:
			m.stats.Claimed.Add(1)
			return Owner{Session: s.ID, Node: m.cfg.Node, Token: revision}, nil
		}
	}
	return Owner{}, fmt.Errorf("%w, %d times in a row", ErrConflict, attempts)
}

// tryClaim claims once. It returns the other owner if there is one.
func (m *Member) tryClaim(ctx context.Context, s *Session, key string, mine []byte) (uint64, *ownerRecord, error) {
	e, err := m.cfg.Owners.Get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		revision, err := m.cfg.Owners.Create(ctx, key, mine)
		return revision, nil, err
	}
	if err != nil {
		return 0, nil, err
	}
	r, err := decodeOwner(key, e.Value)
	if err != nil {
		m.stats.Foreign.Add(1)
		return 0, nil, err
	}
	if r.Session != s.ID {
		gone, err := m.isGone(ctx, r.Session)
		if err != nil {
			return 0, nil, err
		}
		if !gone {
			return 0, &r, nil
		}
	}
	// Its own record is written again too: a release of it may be on its way.
	revision, err := m.cfg.Owners.Update(ctx, key, mine, e.Revision)
	if err == nil && r.Session != s.ID {
		m.stats.TakenOver.Add(1)
	}
	return revision, nil, err
}

// isGone reports whether nobody can act in the session any more. It removes the session if
// its lease has run out.
func (m *Member) isGone(ctx context.Context, session string) (bool, error) {
	switch state, seen := m.view.State(session, m.cfg.Now()); state {
	case Gone:
		return true, nil
	case Silent:
		return m.remove(ctx, seen)
	case Unknown:
		return m.look(ctx, session)
	default:
		return false, nil
	}
}

// Release gives up a process that the session owns by that token. It succeeds as well if
// another session owns it already.
func (m *Member) Release(ctx context.Context, id string, token uint64) error {
	key, err := m.ownerKey(id)
	if err != nil {
		return err
	}
	err = m.bounded(ctx, func(ctx context.Context) error { return m.cfg.Owners.Delete(ctx, key, token) })
	if errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}

// Lookup returns who owns the process, as far as its record says: the session may be over.
// The error wraps [ErrNotFound] if nobody owns it.
func (m *Member) Lookup(ctx context.Context, id string) (Owner, error) {
	key, err := m.ownerKey(id)
	if err != nil {
		return Owner{}, err
	}
	e, err := m.cfg.Owners.Get(ctx, key)
	if err != nil {
		return Owner{}, err
	}
	r, err := decodeOwner(key, e.Value)
	if err != nil {
		m.stats.Foreign.Add(1)
		return Owner{}, err
	}
	return Owner{Session: r.Session, Node: r.Node}, nil
}

// Owned calls yield for each process that has an owner, until yield returns false.
func (m *Member) Owned(ctx context.Context, yield func(id, session string) bool) error {
	return m.cfg.Owners.Watch(ctx, m.cfg.Kind+".*", func(e Entry) bool {
		switch {
		case e.Key == "":
			return false // That were all.
		case e.Deleted:
			return true
		}
		r, err := decodeOwner(e.Key, e.Value)
		if err != nil {
			m.stats.Foreign.Add(1)
			return true
		}
		return yield(r.ID, r.Session)
	})
}
