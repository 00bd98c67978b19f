// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package ownership_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/waybill-go/waybill/mailbox/remote/placement/internal/ownership"
)

const (
	modelNodes = 3
	modelIDs   = 4
	modelLease = 10 * time.Second
	modelDelay = 2 * modelLease // of a message, at most, while the network is bad
)

// TestModel lets nodes own processes in a simulated network that delays and loses messages
// for longer than a lease, stops nodes in the middle of what they do, cuts them off, kills
// them and starts them again. At every moment at most one node would act for a process:
// one that has claimed it in a session whose lease lasts. What acts nevertheless, because it
// was stopped between its look at the lease and the act, is refused by its token.
func TestModel(t *testing.T) {
	takeovers := uint64(0)
	rapid.Check(t, func(rt *rapid.T) {
		rapid.SyncTest(rt, func(rt *rapid.T) {
			r := newModel(rt, func(c ownership.Config) ownership.Config { return c })
			r.strict = true
			r.play(rt)
			for _, v := range r.violations {
				rt.Error(v)
			}
			takeovers += r.takeovers
		})
	})
	assert.NotZero(t, takeovers, "a model in which nothing is taken over shows nothing")
}

// TestModelFindsImpatience is the negative control: nodes that remove silent sessions too
// early do act at the same time, and the model says so.
func TestModelFindsImpatience(t *testing.T) {
	for range 100 {
		found := false
		rapid.Check(t, func(rt *rapid.T) {
			rapid.SyncTest(rt, func(rt *rapid.T) {
				r := newModel(rt, ownership.WithoutPatience)
				r.play(rt)
				found = found || len(r.violations) > 0
			})
		})
		if found {
			return
		}
	}
	t.Fatal("the model does not notice nodes that act at the same time")
}

// model is a number of nodes and two stores.
type model struct {
	sessions, owners *store
	nodes            []*node
	configure        func(ownership.Config) ownership.Config
	strict           bool // All must be well in the end.
	asking           sync.WaitGroup
	cancel           context.CancelFunc
	ctx              context.Context

	mu         sync.Mutex
	violations []string
	tokens     map[string]uint64 // the largest that a claim got
	accepted   map[string]uint64 // the largest that an act was accepted with
	refused    int
	takeovers  uint64
}

// node is a node's program that can be killed and started again.
type node struct {
	model   *model
	name    string
	network *network
	member  *ownership.Member

	mu       sync.Mutex
	owned    map[string]owned
	claiming map[string]bool // one claim at a time, as the library does it
}

type owned struct {
	session *ownership.Session
	token   uint64
}

func newModel(rt *rapid.T, configure func(ownership.Config) ownership.Config) *model {
	r := &model{
		sessions: newStore(), owners: newStore(), configure: configure,
		tokens: make(map[string]uint64), accepted: make(map[string]uint64),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	rt.Cleanup(r.cleanUp)
	seed := rapid.Uint64().Draw(rt, "seed")
	for i := range modelNodes {
		n := &node{
			model: r, name: fmt.Sprint("node-", i),
			network: &network{random: rand.New(rand.NewPCG(seed, uint64(i))), delay: 10 * time.Millisecond},
		}
		r.nodes = append(r.nodes, n)
		n.start()
	}
	return r
}

func (n *node) start() {
	var m *ownership.Member
	m = ownership.NewMember(n.model.configure(ownership.Config{
		Kind: "guild", Node: n.name, Offers: true, Lease: modelLease, Now: n.network.now,
		Sessions: bucket{n.model.sessions, n.network}, Owners: bucket{n.model.owners, n.network},
		TakeOver: func(ctx context.Context, id string) error { return n.takeOver(ctx, m, id) },
	}))
	n.mu.Lock()
	n.member, n.owned, n.claiming = m, make(map[string]owned), make(map[string]bool)
	n.mu.Unlock()
	m.Start(n.model.ctx)
}

// takeOver claims a process, unless the node knows that it owns it.
func (n *node) takeOver(ctx context.Context, m *ownership.Member, id string) error {
	n.mu.Lock()
	o, ok := n.owned[id]
	n.mu.Unlock()
	if ok && o.session == m.Session() {
		return nil
	}
	_, err := n.claim(ctx, m, id)
	return err
}

// claim claims a process in the session that the node has now, and acts for it. It returns
// the session of another owner, if there is one.
func (n *node) claim(ctx context.Context, m *ownership.Member, id string) (other string, err error) {
	s := m.Session()
	n.mu.Lock()
	if s == nil || n.claiming[id] {
		n.mu.Unlock()
		return "", ownership.ErrNoSession
	}
	n.claiming[id] = true
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, modelLease)
	defer cancel()
	owner, err := m.Claim(ctx, s, id)
	n.mu.Lock()
	delete(n.claiming, id)
	n.mu.Unlock()
	if err != nil {
		return "", err
	}
	if owner.Session != s.ID {
		return owner.Session, nil
	}
	n.mu.Lock()
	if n.member != m {
		n.mu.Unlock()
		return "", ownership.ErrNoSession // It was killed meanwhile.
	}
	n.owned[id] = owned{s, owner.Token}
	n.mu.Unlock()
	r := n.model
	r.mu.Lock()
	if owner.Token <= r.tokens[id] && s.Held(time.Now()) { // Unless the answer came so late that it does not matter.
		r.violations = append(r.violations, fmt.Sprintf("%s claims %s with the old token %d", n.name, id, owner.Token))
	}
	r.tokens[id] = max(r.tokens[id], owner.Token)
	r.mu.Unlock()
	r.check()
	return "", nil
}

// act acts for all that the node owns, as a handler does: it looks at the lease, and then
// may be stopped.
func (n *node) act() {
	n.mu.Lock()
	owns := maps.Clone(n.owned)
	n.mu.Unlock()
	for id, o := range owns {
		if !o.session.Held(n.network.now()) {
			continue
		}
		n.network.gate()
		r := n.model
		r.mu.Lock()
		if o.token < r.accepted[id] {
			r.refused++
		} else {
			r.accepted[id] = o.token
		}
		r.mu.Unlock()
	}
}

// check looks at all nodes at the same instant: who would act?
func (r *model) check() {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range modelIDs {
		id, acting := fmt.Sprint(i), ""
		for _, n := range r.nodes {
			n.mu.Lock()
			o, ok := n.owned[id]
			n.mu.Unlock()
			if !ok || !o.session.Held(now) {
				continue
			}
			if acting != "" {
				r.violations = append(r.violations, fmt.Sprintf("%s and %s act for %s", acting, n.name, id))
			}
			acting = n.name
		}
	}
}

// play runs a program of faults, and then looks whether the nodes recover.
func (r *model) play(rt *rapid.T) {
	one := func(rt *rapid.T) *node { return r.nodes[rapid.IntRange(0, modelNodes-1).Draw(rt, "node")] }
	rt.Repeat(map[string]func(*rapid.T){
		"get or spawn": func(rt *rapid.T) { r.getOrSpawn(one(rt), fmt.Sprint(rapid.IntRange(0, modelIDs-1).Draw(rt, "id"))) },
		"pause":        func(rt *rapid.T) { one(rt).network.pause() },
		"resume":       func(rt *rapid.T) { one(rt).network.resume() },
		"cut":          func(rt *rapid.T) { one(rt).network.set(0, 0, true) },
		"bad": func(rt *rapid.T) {
			delay := time.Duration(rapid.Int64Range(0, int64(modelDelay)).Draw(rt, "delay"))
			one(rt).network.set(delay, rapid.Float64Range(0, 0.5).Draw(rt, "loss"), false)
		},
		"good":    func(rt *rapid.T) { one(rt).network.set(10*time.Millisecond, 0, false) },
		"restart": func(rt *rapid.T) { one(rt).restart() },
		"leave":   func(rt *rapid.T) { one(rt).leave() },
		"pass":    func(rt *rapid.T) { r.pass(time.Duration(rapid.IntRange(1, 30).Draw(rt, "seconds")) * time.Second) },
		"":        func(*rapid.T) { r.pass(time.Second) },
	})
	r.recover(rt)
	for _, n := range r.nodes {
		r.takeovers += n.member.Counts().TakenOver.Load()
	}
}

// cleanUp leaves nothing behind, whatever has become of the program.
func (r *model) cleanUp() {
	r.cancel()
	for _, n := range r.nodes {
		n.network.resume()
		n.member.Stop()
	}
	r.asking.Wait()
	time.Sleep(10 * modelDelay) // What is on its way arrives.
}

// pass lets time go by, and looks again and again.
func (r *model) pass(d time.Duration) {
	const step = modelLease / 40
	for ; d > 0; d -= step {
		time.Sleep(step)
		r.check()
		for _, n := range r.nodes {
			r.asking.Go(n.act)
		}
	}
}

// recover mends everything. After the time that is promised every process has an owner that acts,
// although nobody asks for it, if one has acted for it and has not given it up. Then those have one
// that are asked for.
func (r *model) recover(rt *rapid.T) {
	for _, n := range r.nodes {
		n.network.set(10*time.Millisecond, 0, false)
		n.network.resume()
	}
	r.pass(2 * modelDelay) // What is on its way arrives, and sessions run out.
	r.pass(2 * modelDelay) // What they have left behind is taken over.
	for i := range modelIDs {
		if r.acted(fmt.Sprint(i)) {
			r.owned(rt, fmt.Sprint(i), "was left alone")
		}
		r.getOrSpawn(r.nodes[i%modelNodes], fmt.Sprint(i))
	}
	r.pass(5 * time.Second)
	for i := range modelIDs {
		r.owned(rt, fmt.Sprint(i), "was asked for")
	}
}

// acted reports whether a node has acted for the process since it was given up last. A claim whose
// answer was lost is none: who waited for it asks again.
func (r *model) acted(id string) bool {
	r.owners.mu.Lock()
	defer r.owners.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	key := "guild." + id
	e, ok := r.owners.entries[key]
	return ok && !e.Deleted && r.accepted[id] >= r.owners.created[key]
}

// owned fails unless one node acts for the process, after everything was mended.
func (r *model) owned(rt *rapid.T, id, why string) {
	acting, now := 0, time.Now()
	for _, n := range r.nodes {
		n.mu.Lock()
		if o, ok := n.owned[id]; ok && o.session.Held(now) {
			acting++
		}
		n.mu.Unlock()
	}
	if acting != 1 && r.strict {
		rt.Errorf("%d nodes act for %s, which %s, after everything was mended", acting, id, why)
	}
}

// getOrSpawn asks the node that the hash gives, and then the one that it says owns the process:
// that one may not know it yet.
func (r *model) getOrSpawn(from *node, id string) {
	ranked := from.member.View().Rank(id, time.Now())
	if len(ranked) == 0 {
		return
	}
	r.asking.Go(func() {
		target := ranked[0]
		for range 3 {
			n, m := r.with(target)
			if n == nil {
				return
			}
			n.network.gate()
			if target, _ = n.claim(r.ctx, m, id); target == "" {
				return
			}
		}
	})
}

// with returns the node that has the session now.
func (r *model) with(session string) (*node, *ownership.Member) {
	for _, n := range r.nodes {
		n.mu.Lock()
		m := n.member
		n.mu.Unlock()
		if m == nil {
			continue
		}
		if s := m.Session(); s != nil && s.ID == session {
			return n, m
		}
	}
	return nil, nil
}

// restart kills the node's program at once, and starts another.
func (n *node) restart() {
	n.network.resume()
	n.mu.Lock()
	n.owned = make(map[string]owned) // It is dead: it acts no more.
	old := n.member
	n.member = nil
	n.mu.Unlock()
	old.Stop()
	n.model.mu.Lock()
	n.model.takeovers += old.Counts().TakenOver.Load()
	n.model.mu.Unlock()
	n.start()
}

// leave leaves in order: it gives up what it owns, and then its session. Then it comes back.
func (n *node) leave() {
	n.network.resume()
	m := n.member
	s := m.Session()
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(n.model.ctx, modelLease)
	defer cancel()
	_ = m.Leaving(ctx, s)
	n.mu.Lock()
	owns := n.owned
	n.owned = make(map[string]owned)
	n.mu.Unlock()
	for id, o := range owns {
		if o.session == s {
			_ = m.Release(ctx, id, o.token)
		}
	}
	if err := m.Leave(ctx, s); err != nil && !errors.Is(err, ownership.ErrGone) {
		n.model.mu.Lock()
		n.model.refused++
		n.model.mu.Unlock()
	}
	n.restart()
}
