// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/broadcast"
	"github.com/waybill-go/waybill/internal/clock"
	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/mailbox/internal/scheduler"
)

// Delivery is what became of a broadcast.
type Delivery struct {
	Size      int // members when the broadcast began
	Delivered int // mailboxes that took the message
	Refused   int // mailboxes that refused it, for one of these reasons:
	Full      int // there was no room
	Stopped   int // the process takes no more
	Sampled   int // recipients that were sampled, refused ones included
}

// Broadcast sends message to every member. It never waits: a full mailbox refuses the
// message or drops its oldest one, even if its kind's overflow is [Wait]. The order of the
// members is not that in which they joined.
//
// If the trace in ctx is sampled, the broadcast has a span of kind PRODUCER, and some of the
// recipients are sampled. The span of each of those says how many recipients it stands for. For all other recipients the broadcast costs what it
// would cost without a trace.
func (g *Group[M]) Broadcast(ctx context.Context, message M) Delivery {
	return g.BroadcastFunc(ctx, message, nil)
}

// BroadcastFunc is Broadcast, and calls refused for every member that did not take the
// message, with [ErrFull] or [ErrStopped]. All calls are made before BroadcastFunc
// returns. They delay the members that are still to be served, so refused should be quick.
// It may be nil.
func (g *Group[M]) BroadcastFunc(
	ctx context.Context, message M, refused func(member Ref[M], err error),
) Delivery {
	return g.broadcast(ctx, message, nil, refused)
}

// BroadcastRelays is Broadcast to relays: members that each pass the message on by a
// broadcast of their own. size returns how many final recipients a relay has; the number
// need not be exact. It is called for every member if the trace in ctx is sampled.
//
// The number of final recipients that are sampled is planned once for the whole tree
// and shared out to the relays. It is never exceeded, and the weights stay exact. A relay
// uses up its share with its next broadcast in the message's trace, so it should make only
// one.
func (g *Group[M]) BroadcastRelays(ctx context.Context, message M, size func(relay Ref[M]) int) Delivery {
	return g.broadcast(ctx, message, size, nil)
}

func (g *Group[M]) broadcast(
	ctx context.Context, message M, size func(Ref[M]) int, refused func(Ref[M], error),
) Delivery {
	d := broadcasting[M]{refused: refused}
	defer func() { // Whatever refused does.
		d.woken.Flush()
		if g.sys.reported.Load() {
			g.totals.add(ctx, d.Size, d.Delivered, d.Refused, d.Sampled)
		}
	}()
	members := g.snapshot()
	d.Size = len(members)
	switch {
	case d.Size == 0:
	case header.Traced(ctx):
		ctx = g.broadcastTraced(ctx, message, members, size, &d)
	default:
		d.deliverAll(members, newRecipientSlots(ctx, g.sys, message, g.sys.carry.Header(ctx)))
	}
	return d.Delivery
}

// broadcastTraced returns the context below the span of the broadcast.
func (g *Group[M]) broadcastTraced(
	ctx context.Context, message M, members []*process[M], size func(Ref[M]) int, d *broadcasting[M],
) context.Context {
	ctx, b := g.sys.spans.StartBroadcast(ctx, g.name, g.sys.carry, g.settings.linked)
	defer b.End()
	if !b.Header.Sampled() {
		d.deliverAll(members, newRecipientSlots(ctx, g.sys, message, b.Header))
		return ctx
	}
	var recipients *broadcast.Recipients
	if size == nil {
		recipients = b.Plan(g.planner(members), len(members))
	} else {
		recipients = b.PlanRelays(g.planner(members), sizesOf(members, size))
	}
	d.spread(members, recipients, g.skippedSlots(ctx, message, b), func(h *header.Header, f fanout.Fanout) recipientSlots[M] {
		if size == nil { // Relays have one each.
			g.sys.spans.Share(h, f)
		}
		return newRecipientSlots(ctx, g.sys, message, h)
	})
	recipients.Describe(d.Size, d.Sampled, d.Delivered, d.Refused)
	return ctx
}

// planner returns what a plan for members depends on.
func (g *Group[M]) planner(members []*process[M]) planning.Planner {
	limits := g.limits()
	return planning.Planner{
		Config: *g.config(), Rate: &g.cell.Rate, Limits: limits, Now: time.Duration(clock.Now()),
		LimitOf: func(position int) int {
			rate := &members[position].kind.cell.Rate
			return slices.IndexFunc(limits, func(l planning.Limit) bool { return l.Rate == rate })
		},
	}
}

func sizesOf[M any](members []*process[M], size func(Ref[M]) int) []int {
	sizes := make([]int, len(members))
	for i, p := range members {
		sizes[i] = size(Ref[M]{p})
	}
	return sizes
}

// skippedSlots is what all recipients share that are not sampled. It costs a little
// for each of them to know the trace that they might report to, so only those of
// systems with a control do: theirs, whoever broadcasts, for it is their settings
// that say what is worth a report.
func (g *Group[M]) skippedSlots(ctx context.Context, message M, b *broadcast.Broadcast) recipientSlots[M] {
	reporting, silent := b.Skipped(g.sys.carry.Unsampled)
	told := newRecipientSlots(ctx, g.sys, message, reporting)
	untold := newRecipientSlots(ctx, g.sys, message, silent)
	untold.told = &told
	return untold
}

// recipientSlots is what recipients get: those of kinds with roots are told that it was
// decided whether to trace it, those of kinds that carry no traces get none, and those of
// kinds that are both get neither a trace nor leave to start one.
type recipientSlots[M any] struct {
	plain, decided, bare, bareDecided slot[M]

	told *recipientSlots[M] // what those of systems with a control get instead, if not nil
}

func newRecipientSlots[M any](ctx context.Context, sys *System, message M, h *header.Header) recipientSlots[M] {
	s := slot[M]{message: message, header: h, sent: sys.stamp(h)}
	decided, bare := s, s
	decided.header = h.DecidedBy(ctx)
	bare.header = h.WithSpanContext(trace.SpanContext{})
	bareDecided := bare
	bareDecided.header = bare.header.DecidedBy(ctx)
	return recipientSlots[M]{plain: s, decided: decided, bare: bare, bareDecided: bareDecided}
}

// broadcasting is a broadcast on its way.
type broadcasting[M any] struct {
	Delivery

	refused func(member Ref[M], err error) // may be nil
	woken   scheduler.Wakeup               // not scheduled yet
}

// spread gives each member that is sampled what sampled says of its header, and skipped
// to all others.
func (d *broadcasting[M]) spread(
	members []*process[M], recipients *broadcast.Recipients, skipped recipientSlots[M],
	sampled func(*header.Header, fanout.Fanout) recipientSlots[M],
) {
	var shared *header.Header
	var slots recipientSlots[M]
	rest := 0
	for i := recipients.Position(); i != planning.Never; i = recipients.Position() {
		d.deliver(members[rest:i], &skipped)
		if h, f := recipients.Header(); h != shared {
			shared, slots = h, sampled(h, f)
		}
		d.deliver(members[i:i+1], &slots)
		rest = i + 1
	}
	d.deliver(members[rest:], &skipped)
	d.woken.Flush()
	d.Sampled = recipients.Sampled()
}

// deliverAll gives s to each of members, and returns when all that it wakes are
// scheduled.
func (d *broadcasting[M]) deliverAll(members []*process[M], s recipientSlots[M]) {
	d.deliver(members, &s)
	d.woken.Flush()
}

// deliver gives s to each of members and counts how it went. Those that it
// wakes are scheduled a chunk at a time, the last when the caller flushes.
func (d *broadcasting[M]) deliver(members []*process[M], s *recipientSlots[M]) {
	for _, p := range members {
		mine := s
		if s.told != nil && p.kind.sys.controlled {
			mine = s.told
		}
		offered := &mine.plain
		switch untraced := p.kind.cell.Load().Untraced; {
		case untraced && p.kind.roots:
			offered = &mine.bareDecided
		case untraced:
			offered = &mine.bare
		case p.kind.roots:
			offered = &mine.decided
		}
		claimed, err := p.offer(offered)
		if err != nil {
			d.reject(p, err)
			continue
		}
		d.Delivered++
		switch {
		case !claimed:
		case p.kind.own:
			p.schedule()
		default:
			d.woken.Add(p.kind.sys.sched, p)
		}
	}
}

func (d *broadcasting[M]) reject(p *process[M], err error) {
	d.Refused++
	if err == ErrFull { //nolint:errorlint // Our own, never wrapped.
		d.Full++
	} else {
		d.Stopped++
	}
	if d.refused != nil {
		d.refused(Ref[M]{p}, err)
	}
}
