// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/observe"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/internal/closing"
	"github.com/waybill-go/waybill/mailbox/remote/internal/subject"
)

// Group is a set of processes on any number of nodes, to broadcast to. Each node makes one
// with the same name, and has its own processes join. A broadcast on any of the nodes reaches
// the members on all of them: it is written once, and sent once to each node that has members.
// There a process, the relay, passes it on to the members of that node.
//
// Nodes tell each other how many members they have. A node knows of another within a fraction
// of a second after that one's first member has joined, and forgets one that has said nothing
// for 3 s. A broadcast reaches the nodes that are known when it begins.
//
// Whoever may publish to the subjects of a group can broadcast to it, and can have messages
// published that nobody reads. What such a stranger announces is bounded, and costs neither
// memory nor spans beyond what [WithGroupSampling] allows on each node; only the permissions of
// NATS keep it out.
//
// Any number of goroutines may use a Group.
type Group[M any] struct {
	*announcer

	protocol *protocol[M]
	local    *mailbox.Group[M] // the members here
	relay    mailbox.Ref[M]    // passes on to them
	served   *Served           // takes what other nodes send to the relay
	plan     planned
	counts   groupCounts

	metrics  observe.Registry
	reported ownMetrics
	closing  sync.Mutex // held by the one who starts or closes
	over     atomic.Bool
}

// NewGroup makes the node's part of the group called name, which has no members. The name is
// part of the names of spans and metrics, so there should be few names. All nodes must use the
// same protocol. Its messages hold no [mailbox.Reply]: there is no answer to a broadcast.
//
// NewGroup subscribes to two subjects, <prefix>.group.<name> for the sizes of other nodes, and
// <prefix>.group.<name>.<ID of the node> for their broadcasts; with [WithGroupID],
// <prefix>.groups.<name>.<ID> and below. It starts two goroutines, which [Group.Close] and
// [Node.Close] end.
//
// An error wraps [mailbox.ErrConfig] if there is no name, if the node has such a group already,
// or if an option makes no sense; or it is one of the connection.
func NewGroup[M any](node *Node, name string, messages Protocol[M], opts ...GroupOption) (*Group[M], error) {
	if node == nil || name == "" {
		return nil, fmt.Errorf("%w: a group needs a node and a name", mailbox.ErrConfig)
	}
	checked, err := messages.check()
	if err != nil {
		return nil, err
	}
	settings, err := newGroupSettings(name, opts)
	if err != nil {
		return nil, err
	}
	g := &Group[M]{protocol: checked, plan: planned{name: name, settings: settings, provider: node.provider, carry: node.sys.CarryPolicy()}}
	if g.local, err = mailbox.NewGroup[M](node.sys, name, settings.local()...); err != nil {
		return nil, err
	}
	if g.announcer, err = newAnnouncer(node, name, settings.id, g.local.Len); err != nil {
		return nil, err
	}
	if err := g.start(messages, settings); err != nil {
		_ = g.Close(ended()) // There is an error already.
		return nil, fmt.Errorf("remote: group %q: %w", name, err)
	}
	return g, nil
}

// start makes the relay, and takes part in the group. Whoever closes the node meanwhile waits.
func (g *Group[M]) start(messages Protocol[M], settings groupSettings) (err error) {
	g.closing.Lock()
	defer g.closing.Unlock()
	n := g.node
	if err := n.keep(g, false); err != nil {
		return err
	}
	g.relay, err = mailbox.Spawn(n.sys, g.name+" relay", g.pass,
		mailbox.WithCapacity(settings.capacity), mailbox.WithOverflow(mailbox.Wait))
	if err != nil {
		return err
	}
	if g.served, err = Serve(n, g.own, g.relay, messages); err != nil {
		return err
	}
	if err := g.announcer.start(); err != nil {
		return err
	}
	if settings.id == "" { // There may be many with an ID.
		g.reported.report(n, g.RegisterMetrics)
	}
	return nil
}

// ended returns a context that has ended.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// Join adds a process of this machine to the group until it leaves or ends. To join twice is
// to join once. The error of Join wraps [mailbox.ErrStopped] if the process has ended, or the
// group is closed. A broadcast that has begun does not reach the new member.
func (g *Group[M]) Join(member mailbox.Ref[M]) error {
	if g.over.Load() {
		return g.closedError()
	}
	err := g.local.Join(member)
	g.changed()
	return err
}

// Leave takes a process out of the group, and reports whether it was a member. A broadcast that
// has begun may still reach it.
func (g *Group[M]) Leave(member mailbox.Ref[M]) bool {
	was := g.local.Leave(member)
	g.changed()
	return was
}

// Name returns the name of the group.
func (g *Group[M]) Name() string { return g.name }

// Len returns the number of members on this node.
func (g *Group[M]) Len() int { return g.local.Len() }

// Size returns the number of members on all nodes, as far as these have announced them.
func (g *Group[M]) Size() int { return g.local.Len() + g.table.View().Members }

// Nodes returns how many nodes take part in the group, with this one, whether they have members
// or not.
func (g *Group[M]) Nodes() int { return g.table.View().Known + 1 }

func (g *Group[M]) closedError() error {
	return fmt.Errorf("remote: group %q: %w: it is closed", g.name, mailbox.ErrStopped)
}

// Close takes the node out of the group. It tells the other nodes, has the members here handle
// what had arrived, and refuses broadcasts from then on. The members live on. Close blocks until
// the relay has passed on everything, or until ctx ends; then the broadcasts that are left are
// lost, and it returns an error that wraps ctx.Err(). Otherwise it returns nil. It may be called
// again. As [Node.Close], it does not wait for a connection that takes nothing.
func (g *Group[M]) Close(ctx context.Context) error {
	ctx = header.OrBackground(ctx)
	return closing.Within(ctx, func() error { return g.close(ctx) })
}

func (g *Group[M]) close(ctx context.Context) error {
	g.closing.Lock()
	defer g.closing.Unlock()
	if g.over.Swap(true) {
		return nil
	}
	g.stop(ctx)
	var errs []error
	if g.served != nil {
		errs = append(errs, g.served.Close(ctx))
	}
	if err := g.relay.Stop(ctx); err != nil {
		g.relay.Kill()
		errs = append(errs, fmt.Errorf("remote: group %q: close: %w", g.name, err))
	}
	g.reported.end()
	g.node.forget(g)
	return errors.Join(errs...)
}

// groupSubjects returns where the nodes of a group announce themselves, and where one of them
// takes broadcasts.
func (n *Node) groupSubjects(name, id string) (all, own, token string, err error) {
	group, err := subject.Token(name)
	if err != nil {
		return "", "", "", fmt.Errorf("%w: group: %w", mailbox.ErrConfig, err)
	}
	all = n.prefix + ".group." + group
	if id != "" {
		if token, err = subject.Token(id); err != nil {
			return "", "", "", fmt.Errorf("%w: ID of a group: %w", mailbox.ErrConfig, err)
		}
		all = n.prefix + ".groups." + group + "." + token
	}
	if token, err = subject.Token(n.id); err != nil {
		return "", "", "", fmt.Errorf("%w: %w", mailbox.ErrConfig, err)
	}
	own = all + "." + token
	if err = subject.Check(own); err != nil {
		return "", "", "", fmt.Errorf("%w: group: %w", mailbox.ErrConfig, err)
	}
	return all, own, token, nil
}

func (a *announcer) onSubject() string { return a.subject }
