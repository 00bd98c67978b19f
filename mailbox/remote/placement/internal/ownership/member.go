// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Errors of a [Member].
var (
	// ErrGone means that the session has been removed, or its lease has run out.
	ErrGone = errors.New("placement: the session is over")
	// ErrNoSession means that the node has no session to own anything in.
	ErrNoSession = errors.New("placement: no session")

	errStale = errors.New("placement: read an old record")
)

// How often per lease things are done.
const (
	renewals = 3  // the session is renewed
	retries  = 10 // a renewal that failed is tried again
	sweeps   = 16 // silent sessions are looked for
	silences = 2  // leases for which a watch shows nothing before it begins again
	ranks    = 8  // the next node waits for the one that should remove a silent session
)

// Config is what a [Member] needs.
type Config struct {
	Kind     string // one valid token
	Node     string // the name of this node, for people
	Offers   bool   // whether the node has sessions; others only watch
	Lease    time.Duration
	Sessions Bucket
	Owners   Bucket

	Now   func() time.Time // nil: time.Now
	NewID func() string    // nil: random

	// Prepare is called before a session begins. If it fails, another session is tried later.
	// Fenced is called when a session is over, unless it was left. Gone is called when
	// another session was removed; left says that it had announced to leave. They must return soon, and may be nil.
	Prepare func(s *Session) error
	Fenced  func(s *Session)
	Gone    func(session string, left bool)
	// TakeOver has this node own a process, unless another one does. It is called for those
	// whose owner is gone and that this node comes first for, and for all that its session
	// owns, by several goroutines at a time. If it fails, it is called again later. If it is
	// nil, nothing is taken over.
	TakeOver func(ctx context.Context, id string) error
	// Failed is told of errors of the store.
	Failed func(err error)

	patience int // 0: defaultPatience
}

// Counts is what a [Member] counts.
type Counts struct {
	Renewals        atomic.Uint64 // of sessions that succeeded
	RenewalFailures atomic.Uint64 // and those that did not
	Fenced          atomic.Uint64 // own sessions whose lease ran out
	Removed         atomic.Uint64 // others' silent sessions that this node removed
	Claimed         atomic.Uint64 // records that this node got
	TakenOver       atomic.Uint64 // those of them that a session that is gone had
	Conflicts       atomic.Uint64 // changes that another node was faster with
	Foreign         atomic.Uint64 // records that were not written by us
}

// Member is a node's part in owning the processes of a kind. All methods may be called at
// any time by any goroutine, after [Member.Start].
type Member struct {
	cfg     Config
	view    *View
	current atomic.Pointer[Session]
	stats   Counts
	lost    chan struct{} // holds one: sessions are gone

	cancel context.CancelFunc
	wg     sync.WaitGroup

	rewatch   atomic.Pointer[context.CancelFunc] // ends the watch, which begins again
	rewatched time.Time                          // the sweep's
}

// NewMember returns a member that does nothing yet.
func NewMember(cfg Config) *Member {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = rand.Text
	}
	if cfg.Prepare == nil {
		cfg.Prepare = func(*Session) error { return nil }
	}
	if cfg.Fenced == nil {
		cfg.Fenced = func(*Session) {}
	}
	if cfg.Gone == nil {
		cfg.Gone = func(string, bool) {}
	}
	if cfg.Failed == nil {
		cfg.Failed = func(error) {}
	}
	if cfg.patience == 0 {
		cfg.patience = defaultPatience
	}
	return &Member{cfg: cfg, view: newView(cfg.patience), lost: make(chan struct{}, 1)}
}

// Start begins to watch, and to have sessions if the node offers to. It does not block.
func (m *Member) Start(ctx context.Context) {
	ctx, m.cancel = context.WithCancel(ctx)
	m.wg.Go(func() { m.watch(ctx) })
	if m.cfg.Offers {
		m.wg.Go(func() { m.haveSessions(ctx) })
		m.wg.Go(func() { m.sweep(ctx) })
		if m.cfg.TakeOver != nil {
			m.wg.Go(func() { m.takeOver(ctx) })
		}
		return
	}
	m.wg.Go(func() { m.overlook(ctx) })
}

// Stop ends what [Member.Start] began, and waits for it. A session that was not left is
// over for this node, and runs out for the others.
func (m *Member) Stop() {
	m.cancel()
	m.wg.Wait()
	if s := m.current.Load(); s != nil {
		m.fence(s)
	}
}

// View returns what the member knows of sessions.
func (m *Member) View() *View { return m.view }

// Counts returns what the member counts.
func (m *Member) Counts() *Counts { return &m.stats }

// Session returns the session that the node has now. It is nil if it has none.
func (m *Member) Session() *Session { return m.current.Load() }

func (m *Member) sessionKey(session string) string { return m.cfg.Kind + "." + session }

func (m *Member) failed(err error) {
	if err == nil {
		return
	}
	m.stats.RenewalFailures.Add(1)
	m.cfg.Failed(err)
}

// bounded calls f with a context that ends soon enough to try again within a lease.
func (m *Member) bounded(ctx context.Context, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Lease/renewals)
	defer cancel()
	return f(ctx)
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// haveSessions has one session after the other until ctx ends.
func (m *Member) haveSessions(ctx context.Context) {
	for ctx.Err() == nil {
		s := m.join(ctx)
		if s == nil {
			pause(ctx, m.cfg.Lease/retries)
			continue
		}
		m.keep(ctx, s)
		if s.leaving.Load() {
			return
		}
		pause(ctx, m.cfg.Lease/retries) // Whatever ended it, do not hurry.
	}
}

// watch keeps the view until ctx ends.
func (m *Member) watch(ctx context.Context) {
	for ctx.Err() == nil {
		watching, cancel := context.WithCancel(ctx)
		m.rewatch.Store(&cancel)
		err := m.cfg.Sessions.Watch(watching, m.sessionKey("*"), func(e Entry) bool {
			m.notice(e)
			return true
		})
		cancel()
		if ctx.Err() == nil {
			m.failed(err)
			pause(ctx, m.cfg.Lease/retries)
		}
	}
}

// notice takes notice of a record of a session.
func (m *Member) notice(e Entry) {
	if e.Key == "" {
		m.view.synced()
		return
	}
	session, ok := sessionOf(e.Key)
	if !ok || !strings.HasPrefix(e.Key, m.cfg.Kind+".") {
		m.stats.Foreign.Add(1)
		return
	}
	if e.Deleted {
		m.gone(session)
		return
	}
	r, err := decodeSession(e.Value)
	switch {
	case err != nil:
		m.stats.Foreign.Add(1)
	case r.Gone:
		m.gone(session)
	case !m.view.saw(session, r, e.Revision, m.cfg.Now()):
		m.stats.Foreign.Add(1)
	}
}

// gone takes notice that a session was removed.
func (m *Member) gone(session string) {
	if s := m.current.Load(); s != nil && s.ID == session {
		m.fence(s)
	}
	_, seen := m.view.State(session, m.cfg.Now())
	if !m.view.removed(session) {
		return
	}
	m.cfg.Gone(session, seen.Leaving)
	select {
	case m.lost <- struct{}{}:
	default:
	}
}

// sweep removes sessions that are silent, until ctx ends.
func (m *Member) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, m.cfg.Lease/sweeps)
		own := m.current.Load()
		now := m.cfg.Now()
		if own == nil || !own.Held(now) {
			continue
		}
		m.checkWatch(own, now)
		for _, s := range m.view.Alive() {
			beyond := now.Sub(s.At) - quarters(s.Lease, m.cfg.patience)
			if beyond >= 0 && s.ID != own.ID && beyond >= m.turn(own.ID, s.ID, now) {
				_, _ = m.remove(ctx, s) // It is tried again.
			}
		}
	}
}

// checkWatch begins the watch again if it shows nothing any more, not even the renewals of the
// node's own session.
func (m *Member) checkWatch(own *Session, now time.Time) {
	_, seen := m.view.State(own.ID, now)
	if silence := silences * m.cfg.Lease; now.Sub(seen.At) > silence && now.Sub(m.rewatched) > silence {
		m.rewatched = now
		(*m.rewatch.Load())()
	}
}

// overlook is what a node without sessions does in place of sweep, until ctx ends: others would
// have removed a session that is silent, so if one still seems to be there, the watch shows
// nothing any more, and begins again. The session is looked up too: it may have been removed so
// long ago that nothing shows it.
func (m *Member) overlook(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, m.cfg.Lease/sweeps)
		now := m.cfg.Now()
		if now.Sub(m.rewatched) <= silences*m.cfg.Lease {
			continue
		}
		for _, s := range m.view.Alive() {
			if now.Sub(s.At) > silences*s.Lease {
				m.rewatched = now
				_, _ = m.look(ctx, s.ID) // It is tried again.
			}
		}
		if m.rewatched.Equal(now) {
			(*m.rewatch.Load())()
		}
	}
}

// turn returns how long this node waits for others to remove the session, so that they do
// not all try at once.
func (m *Member) turn(own, session string, now time.Time) time.Duration {
	for i, id := range m.view.Rank(session, now) {
		if id == own {
			return m.cfg.Lease / ranks * time.Duration(min(i, ranks))
		}
	}
	return m.cfg.Lease
}

// remove removes the session of a silent node. It reports whether it is gone now. If it is
// not, there was a renewal that the view had not seen.
func (m *Member) remove(ctx context.Context, s Seen) (gone bool, err error) {
	err = m.bounded(ctx, func(ctx context.Context) error {
		return m.cfg.Sessions.Delete(ctx, m.sessionKey(s.ID), s.Revision)
	})
	if err == nil {
		m.stats.Removed.Add(1)
		m.gone(s.ID)
		return true, nil
	}
	if !errors.Is(err, ErrConflict) {
		return false, err
	}
	m.stats.Conflicts.Add(1)
	return m.look(ctx, s.ID)
}

// Gone reports whether nobody can act in the session any more. One that the view does not know
// is looked up: it may have come a moment ago, or have been gone for so long that nothing says so.
// One that is silent is not gone before somebody has removed it.
func (m *Member) Gone(ctx context.Context, session string) (bool, error) {
	state, _ := m.view.State(session, m.cfg.Now())
	if state == Unknown {
		return m.look(ctx, session)
	}
	return state == Gone, nil
}

// look looks up whether a session is gone, and takes notice of it if it is not. A session
// that has no record is gone, and no clock is needed to know that: it acts only after its
// record was written, and the record is removed only when the session has ended or its lease has
// run out. What was read may be old, so a record is written that says that the session is
// gone. That fails if there is one after all.
func (m *Member) look(ctx context.Context, session string) (gone bool, err error) {
	key := m.sessionKey(session)
	var e Entry
	err = m.bounded(ctx, func(ctx context.Context) (err error) {
		e, err = m.cfg.Sessions.Get(ctx, key)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		var revision uint64
		err = m.bounded(ctx, func(ctx context.Context) (err error) {
			revision, err = m.cfg.Sessions.Create(ctx, key, encode(sessionRecord{Version: version, Gone: true}))
			return err
		})
		if err == nil {
			m.gone(session)
			// A deletion goes away by itself after a time, and the record would not.
			_ = m.bounded(ctx, func(ctx context.Context) error { return m.cfg.Sessions.Delete(ctx, key, revision) })
			return true, nil
		}
	}
	if err != nil {
		return false, err
	}
	m.notice(e)
	state, _ := m.view.State(session, m.cfg.Now())
	return state == Gone, nil
}
