// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/observe"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/reports"
	"github.com/waybill-go/waybill/mailbox/remote/internal/routing"
	"github.com/waybill-go/waybill/mailbox/remote/internal/subject"
	"github.com/waybill-go/waybill/mailbox/remote/placement/internal/ownership"
)

// Kind is a kind of processes that are placed on the nodes that offer to run them. Make one
// with [NewKind] on each node. All methods may be called at any time by any goroutine.
type Kind[M any] struct {
	name     string
	node     *remote.Node
	conn     *nats.Conn
	config   Config[M]
	messages remote.Protocol[M]
	member   *ownership.Member
	local    *mailbox.Kind[M] // of the processes here; nil without a Factory
	newRef   func(id string, target routing.Target) (mailbox.Ref[M], error)
	failTo   func(prefix string) // fails the calls to subjects that begin so
	claims   chan struct{}       // holds one for each request that is being answered
	counts   Stats
	told     sync.Map // what the logger was told of: a *reports.Report for each text
	metrics  observe.Registry

	ctx    context.Context //nolint:containedctx // It lasts as long as the kind.
	cancel context.CancelFunc
	wg     sync.WaitGroup

	closing sync.Mutex // held by the one who closes

	mu        sync.RWMutex
	placed    map[string]*placed[M] // by token
	coming    int                   // places that are taken for claims on their way
	flights   map[string]*flight[M] // claims on their way, by token
	endpoints map[string]*endpoint  // by session
	known     map[string]*list.Element
	recent    list.List // of *reference[M], the one that was asked for last in front
	closed    bool
}

// endpoint is where a session of this node hears of others.
type endpoint struct {
	served  *remote.Served
	claims  *nats.Subscription
	unaware map[string]struct{} // sessions of others that may not know that this one has ended
}

const (
	maxClaims = 256 // requests answered at the same time
	// parallel is how many processes are claimed or handed over at the same time.
	parallel = 32
)

// NewKind makes this node one of those that place processes of the kind called name. It opens
// two buckets of the store, which all kinds of nodes with the same prefix share, and makes
// them if need be. It returns once the node knows the others that the store has, and its own
// lease is in the store, from which the others hear of it a moment later. Processes that a
// lost node has left behind may begin to come here before that.
//
// The node and js must use the same connection. Close the kind before the node. The error
// wraps [mailbox.ErrConfig], or an error of the store or of ctx.
func NewKind[M any](
	ctx context.Context, node *remote.Node, js jetstream.JetStream, name string, messages remote.Protocol[M], config Config[M],
) (*Kind[M], error) {
	if node == nil || js == nil {
		return nil, fmt.Errorf("%w: kind %q without a node or JetStream", mailbox.ErrConfig, name)
	}
	config, err := config.withDefaults(name)
	if err != nil {
		return nil, err
	}
	k := &Kind[M]{
		name: name, node: node, conn: node.Conn(), config: config, messages: messages, claims: make(chan struct{}, maxClaims),
		placed: make(map[string]*placed[M]), flights: make(map[string]*flight[M]), endpoints: make(map[string]*endpoint),
		known: make(map[string]*list.Element),
	}
	if k.newRef, k.failTo, err = remote.RoutedRefs(node, name, messages); err != nil {
		return nil, err
	}
	if config.Factory != nil {
		if k.local, err = mailbox.NewKind[M](node.System(), name, config.Options...); err != nil {
			return nil, err
		}
	}
	if err := k.open(ctx, js); err != nil {
		return nil, fmt.Errorf("placement: kind %q: %w", name, err)
	}
	return k, nil
}

// open opens the store, and begins.
func (k *Kind[M]) open(ctx context.Context, js jetstream.JetStream) error {
	ctx = header.OrBackground(ctx)
	var buckets [2]bucket
	for i, what := range []string{"sessions", "owners"} {
		name, err := bucketName(k.node.Prefix(), what)
		if err != nil {
			return err
		}
		buckets[i].kv, err = openBucket(ctx, js, jetstream.KeyValueConfig{
			Bucket: name, MaxValueSize: maxRecord, Replicas: k.config.Replicas,
			Description: "Waybill: who runs processes that are placed on one of several nodes.",
		})
		if err != nil {
			return err
		}
	}
	k.ctx, k.cancel = context.WithCancel(context.Background()) //nolint:gosec // end calls it.
	k.member = ownership.NewMember(ownership.Config{
		Kind: k.name, Node: k.node.ID(), Offers: k.local != nil, Lease: k.config.Lease,
		Now: k.config.now, Sessions: buckets[0], Owners: buckets[1],
		Prepare: k.listen, Fenced: k.fenced, Gone: k.gone, TakeOver: k.takeOver,
		Failed: func(err error) { k.tell("store failed", err) },
	})
	k.member.Start(k.ctx)
	if k.local != nil {
		k.wg.Go(k.releaseEnded)
	}
	if err := k.awaitReady(ctx); err != nil {
		k.end()
		return err
	}
	return nil
}

// gone is told that the session of another node is gone. It does not block.
func (k *Kind[M]) gone(session string, left bool) {
	k.wg.Go(func() { k.sayHeard(session) })
	k.sessionGone(session, left)
}

// awaitReady returns once the view is complete, and this node has a session if it offers one.
func (k *Kind[M]) awaitReady(ctx context.Context) error {
	for {
		changed := k.member.View().Changed()
		if k.member.View().Ready() && (k.local == nil || k.member.Session() != nil) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-time.After(k.config.Lease / retryParts):
		}
	}
}

// end ends everything at once. What the node owns is lost to it.
func (k *Kind[M]) end() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.cancel()
	k.member.Stop()
	k.wg.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.placed)
}

// Name returns the name of the kind.
func (k *Kind[M]) Name() string { return k.name }

// subjectOf returns where a process is reached that a session owns.
func (k *Kind[M]) subjectOf(session, token string) string {
	return k.node.Prefix() + ".placed." + k.name + "." + session + "." + token
}

// claimSubject returns where a session is asked to own a process.
func (k *Kind[M]) claimSubject(session string) string {
	return k.node.Prefix() + ".claim." + k.name + "." + session
}

// GetOrSpawn returns a reference to the process of the kind with that ID, on whatever node it
// is. If no node owns it, one of those that offer to run the kind does from now on, which
// the ID and the nodes decide: the others are asked only if that one does not answer. Several
// that ask at the same time, on any nodes, get the same process. Its instance is made when the
// first message comes.
//
// The reference is that of the process itself if it is on this node, and is good for as long as
// the process is: after that it is [mailbox.ErrStopped] and [ErrMoved], and GetOrSpawn
// returns another one. If the process is on another node, the reference follows it when it
// moves. In any case GetOrSpawn costs little if the process is known: ask it each time.
//
// GetOrSpawn blocks until there is an owner, or until ctx ends. While the owner is a node that
// was lost a moment ago, that takes until its lease is over. The error wraps ctx.Err() and what
// was missing, such as [ErrNoNode]; [mailbox.ErrStopped] after Close; [mailbox.ErrFull] if the
// node has too many processes; or [mailbox.ErrConfig] if the ID is too long: it has at most 255
// bytes, and some count for three (see package remote).
func (k *Kind[M]) GetOrSpawn(ctx context.Context, id string) (mailbox.Ref[M], error) {
	var none mailbox.Ref[M]
	token, err := subject.Token(id)
	if err != nil {
		return none, fmt.Errorf("%w: kind %q: %w", mailbox.ErrConfig, k.name, err)
	}
	if p := k.here(token); p != nil {
		return p.ref, nil
	}
	if r := k.reference(token); r != nil && k.isThere(*r.session.Load()) {
		return r.ref, nil
	}
	session, p, err := k.resolve(header.OrBackground(ctx), id, token)
	switch {
	case err != nil:
		return none, fmt.Errorf("placement: process %q of kind %q: %w", id, k.name, err)
	case p != nil:
		return p.ref, nil
	default:
		return k.refer(id, token, session)
	}
}

// here returns the process if this node owns it and may act for it.
func (k *Kind[M]) here(token string) *placed[M] {
	k.mu.RLock()
	p := k.placed[token]
	k.mu.RUnlock()
	if p == nil || !p.session.Held(k.config.now()) || !k.runs(p) {
		return nil
	}
	return p
}

// runs reports whether the process has not ended.
func (k *Kind[M]) runs(p *placed[M]) bool {
	ref, ok := k.local.Lookup(p.of.id)
	return ok && ref == p.ref
}

// isThere reports whether the session is one that can be sent to. One that is not known may have
// been gone for so long that it was forgotten, or may have come just now.
func (k *Kind[M]) isThere(session string) bool {
	state := k.state(session)
	return state == ownership.Alive || state == ownership.Silent
}

func (k *Kind[M]) state(session string) ownership.State {
	state, _ := k.member.View().State(session, k.config.now())
	return state
}

// forward hands a message on to where its process is now.
func (k *Kind[M]) forward(m *nats.Msg, on string) {
	err := k.conn.PublishMsg(&nats.Msg{Subject: on, Reply: m.Reply, Header: m.Header, Data: m.Data})
	if err != nil {
		atomic.AddUint64(&k.counts.Lost, 1)
		k.tell("message not handed over", err)
		return
	}
	atomic.AddUint64(&k.counts.Forwarded, 1)
}

// refuse answers a message that nobody will handle, if somebody waits for an answer.
func (k *Kind[M]) refuse(m *nats.Msg) {
	atomic.AddUint64(&k.counts.Lost, 1)
	k.tell("message lost", ErrNoNode)
	if m.Reply != "" {
		_ = k.conn.PublishMsg(routing.NotHandled(m.Reply)) // If that fails, its caller waits in vain.
	}
}

// tell tells the logger of something that has gone wrong. Of the same within a second it tells the
// first, and then how many more there were. what must have few values.
func (k *Kind[M]) tell(what string, err error, attrs ...any) {
	if errors.Is(err, context.Canceled) {
		return
	}
	told, known := k.told.Load(what)
	if !known {
		told, _ = k.told.LoadOrStore(what, new(reports.Report))
	}
	told.(*reports.Report).Tell(1, func(count uint64, first bool) { //nolint:forcetypeassert // Nothing else is in there.
		all := []any{"kind", k.name, "count", count}
		if first {
			all = append(append(all, "error", err), attrs...)
		}
		k.config.Logger.Warn("placement: "+what, all...)
	})
}
