// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/clock"
	"github.com/waybill-go/waybill/internal/durations"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/handling"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/observe"
	"github.com/waybill-go/waybill/internal/scope"
	"github.com/waybill-go/waybill/mailbox/internal/contexts"
	"github.com/waybill-go/waybill/mailbox/internal/minutes"
	"github.com/waybill-go/waybill/mailbox/internal/notify"
	"github.com/waybill-go/waybill/mailbox/internal/scheduler"
	"github.com/waybill-go/waybill/mailbox/internal/spans"
)

// System is a set of processes that share their telemetry and are shut down together. Make
// one with [NewSystem], usually one for each service; the zero System cannot be used.
type System struct {
	provider    trace.TracerProvider
	meters      meters
	spans       *spans.Tracer
	carry       header.CarryPolicy
	handlerWait time.Duration
	chain       spans.ChainLimit
	control     *liveControl
	controlled  bool // by the user
	metrics     observe.Registry
	timings     *minutes.Store        // nil without
	durations   *durations.Histograms // nil without a meter provider
	sizes       metric.Int64Histogram // of broadcasts; nil without a meter provider
	reported    atomic.Bool           // There are metrics, so broadcasts are counted.
	base        context.Context       //nolint:containedctx // What every handler's context begins with.
	debug       bool

	hook   eventHook
	log    eventLog
	events *notify.Queue[queuedEvent]

	sched *scheduler.Scheduler
	// readies are the channels of calls that are over: whoever ended the call
	// has received the one signal, or there will be none.
	readies sync.Pool

	mu     sync.Mutex // before any process's
	closed bool
	newest member // the processes alive, linked in the order of their spawning
	alive  int
	kinds  observe.Names[kindTotals]
	groups observe.Names[groupTotals]
}

// meters are where a system's metrics are made without being asked again.
type meters struct {
	provider metric.MeterProvider // nil makes none
	attrs    []attribute.KeyValue
}

// SystemOption configures [NewSystem].
type SystemOption interface{ applySystem(*System) }

type systemOption func(*System)

func (o systemOption) applySystem(s *System) { o(s) }

// member is a process as its system sees it.
type member interface {
	siblings() *memberLinks
	close(kill bool) (busy bool, waiting int)
	doneChannel() chan struct{}
	// measure sets n to the counts of the process, which are exact. If m is not nil, it
	// raises m to what holds for the process too. now is the reading of package clock. It is
	// called under the system's lock.
	measure(n *Stats, m *pressure, now int64)
	totals() *kindTotals
}

type memberLinks struct{ older, newer member }

// NewSystem makes a system without processes.
func NewSystem(opts ...SystemOption) *System {
	s := &System{}
	for _, o := range opts {
		if o != nil {
			o.applySystem(s)
		}
	}
	if s.handlerWait <= 0 {
		s.handlerWait = time.Second
	}
	if s.controlled = s.control != nil; !s.controlled {
		s.control = defaultControl()
	}
	s.sched = scheduler.New(s.controlled)
	s.base = contexts.Base()
	var changed func()
	if s.debug {
		changed = handling.NewSite(s.base, "a system of processes").ProviderChanged
	}
	s.spans = spans.New(s.base, scope.TracerThat(s.provider, "mailbox", changed), s.chain)
	s.events = notify.New(s.tell)
	s.registerMetrics()
	return s
}

// CarryPolicy returns what [WithCarry] has set.
func (s *System) CarryPolicy() envelope.CarryPolicy { return envelope.CarryPolicy(s.carry) }

// stamp returns the time of sending of a message with that header, which is sent
// now.
func (s *System) stamp(h *header.Header) int64 {
	if sent := h.SentAt(); !sent.IsZero() {
		return clock.Reading(sent)
	}
	return s.sched.Now()
}

// Stats returns the counts of all processes that are or were in the system. The equations
// of the package documentation hold in every result. Stats takes time in proportion to the
// number of processes, and no process can be spawned meanwhile.
func (s *System) Stats() Stats {
	var total Stats
	for _, n := range s.KindStats() {
		total.add(&n)
	}
	return total
}

// KindStats returns the counts of all processes that are or were in the system, by the
// name of their kind. The equations hold for each kind. It costs what [System.Stats]
// costs.
func (s *System) KindStats() map[string]Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.measureLocked(false)
	stats := make(map[string]Stats, s.kinds.Len())
	for name, t := range s.kinds.All() {
		stats[name] = t.sum
	}
	return stats
}

// measureLocked counts what all kinds have counted, and with pressures looks at how full
// their mailboxes are too. The result is in the totals of the kinds.
func (s *System) measureLocked(pressures bool) {
	for _, t := range s.kinds.All() {
		t.sum, t.most = t.statsLocked(), pressure{}
	}
	now := clock.Now()
	for m := s.newest; m != nil; m = m.siblings().older {
		t := m.totals()
		t.sum.Processes++
		if pressures {
			m.measure(&t.added, &t.most, now)
		} else {
			m.measure(&t.added, nil, 0)
		}
		t.sum.add(&t.added)
	}
}

// totalsOf returns what all kinds of that name share.
func (s *System) totalsOf(name string) *kindTotals {
	t, uncounted := s.totalsOrOthers(name)
	if uncounted > 0 && uncounted&(uncounted-1) == 0 { // 1, 2, 4, 8 and so on.
		guard.Do(func() {
			otel.Handle(fmt.Errorf(
				"mailbox: %d kinds more than the %d that a system counts by name, of late %q: name kinds for what they do, and not for whom",
				uncounted, observe.MaxNames, name))
		})
	}
	return t
}

// totalsOrOthers returns those of the other kinds if there are too many, and then
// how often it did.
func (s *System) totalsOrOthers(name string) (t *kindTotals, uncounted uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.kinds.Others()
	t = s.kinds.Of(name, false, newKindTotals)
	if s.kinds.Others() > before {
		uncounted = s.kinds.Others()
	}
	return t, uncounted
}

// groupTotalsOf returns what all groups of that name share. If there are too many names,
// those beyond share what there is for the others.
func (s *System) groupTotalsOf(name string) *groupTotals {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.groups.Of(name, false, func(name string) *groupTotals { return newGroupTotals(name, s.sizes, s.meters.attrs) })
}

// Shutdown stops all processes gracefully, the newest first and one after another, and
// blocks until all have ended. What was accepted is handled. Nothing can be spawned once
// Shutdown has begun. If ctx ends first, Shutdown kills what is left and returns a
// [*ShutdownError] at once. A handler must not call it.
func (s *System) Shutdown(ctx context.Context) error {
	ctx = header.OrBackground(ctx)
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	defer s.sched.Close()
	defer s.waitForEvents(ctx)
	for {
		s.mu.Lock()
		m := s.newest
		s.mu.Unlock()
		if m == nil {
			return nil
		}
		m.close(false)
		select {
		case <-m.doneChannel():
		case <-ctx.Done():
			return s.killAll(ctx.Err())
		}
	}
}

func (s *System) killAll(cause error) error {
	s.mu.Lock()
	left := make([]member, 0, s.alive)
	for m := s.newest; m != nil; m = m.siblings().older {
		left = append(left, m)
	}
	s.mu.Unlock()
	e := &ShutdownError{Cause: cause}
	for _, m := range left {
		busy, waiting := m.close(true)
		if busy {
			e.Busy++
		}
		e.DeadLetters += uint64(waiting) //nolint:gosec // A length.
	}
	if e.Busy > 0 || e.DeadLetters > 0 {
		return e
	}
	for _, m := range left {
		<-m.doneChannel() // It was about to, with no handler in the way.
	}
	return nil
}

func (s *System) add(m member) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrStopped
	}
	m.siblings().older = s.newest
	if s.newest != nil {
		s.newest.siblings().newer = m
	}
	s.newest = m
	s.alive++
	return nil
}

// remove takes m out and keeps its counts.
func (s *System) remove(m member, counts Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := m.siblings()
	if l.newer == nil {
		s.newest = l.older
	} else {
		l.newer.siblings().older = l.older
	}
	if l.older != nil {
		l.older.siblings().newer = l.newer
	}
	*l = memberLinks{}
	s.alive--
	t := m.totals()
	t.added = counts
	t.retired.add(&t.added)
}
