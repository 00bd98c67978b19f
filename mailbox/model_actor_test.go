// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/mailbox"
)

// memo is a message that says what its handler does: it waits at the gate,
// answers if it should, and then does the effect.
type memo struct {
	handlingPlan

	id     int
	answer bool
	reply  mailbox.Reply[int]
}

// noticeID is that of all messages about an end. They can come in any order.
const noticeID = -1

// handlingPlan is what a handler, a Factory or a Save does.
type handlingPlan struct {
	gate   gate
	effect effect
}

// gate is whether one waits before the effect, until there is a release.
type gate string

const (
	gateOpen     gate = ""
	gateStubborn gate = "stubborn" // waits whatever its context says
	gatePolite   gate = "polite"
)

// effect is how it goes on.
type effect string

const (
	effectNone  effect = ""
	effectError effect = "error"
	effectPanic effect = "panic"
	effectExit  effect = "Goexit"
	effectSelf  effect = "send to itself"
	effectEmpty effect = "no handler" // from a Factory
)

// fault says which failure the effect is, if any.
func (d effect) fault() (outcome string, panicked bool) {
	switch d {
	case effectError:
		return "spilt", false
	case effectPanic:
		return "spilt, panicked", true
	case effectExit:
		return "exit", true
	case effectEmpty:
		return "config", false
	default:
		return "", false
	}
}

var outcomes = []struct {
	err  error
	name string
}{
	{mailbox.ErrLinked, "linked"},
	{mailbox.ErrTooManyRestarts, "given up"},
	{mailbox.ErrFull, "full"},
	{mailbox.ErrStopped, "stopped"},
	{mailbox.ErrDropped, "dropped"},
	{mailbox.ErrKilled, "killed"},
	{mailbox.ErrGoexit, "exit"},
	{mailbox.ErrConfig, "config"},
	{errSpilt, "spilt"},
	{context.Canceled, "canceled"},
}

// outcome names all that err is.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	var names []string
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			names = append(names, o.name)
		}
	}
	if _, ok := errors.AsType[*mailbox.PanicError](err); ok {
		names = append(names, "panicked")
	}
	if cut, ok := errors.AsType[*mailbox.ShutdownError](err); ok {
		return cutShort(cut.Busy, int(cut.DeadLetters))
	}
	if names == nil {
		return "unexpected: " + err.Error()
	}
	return strings.Join(names, ", ")
}

func answerOf(id int) string { return fmt.Sprint("answer ", id) }

func cutShort(busy, letters int) string {
	return fmt.Sprintf("cut short with %d busy and %d left", busy, letters)
}

// modelSettings are what a process of the model is spawned with.
type modelSettings struct {
	Start, Own, Passivate bool
	Capacity              int
	Overflow              mailbox.Overflow
	OnError, OnPanic      mailbox.FailurePolicy
	Limit                 float64
}

// The times of the model are so far apart that it does not matter how long a
// step takes, nor chance: all pauses in one go take less than ten of the
// longest, which changes no count of failures by much; then comes the time to
// put idle ones away, several times; and then so much that failures are forgotten.
const (
	modelMinBackoff = time.Hour
	modelMaxBackoff = 4 * time.Hour
	modelDecay      = 200 * time.Hour
	modelIdle       = 1000 * time.Hour
	modelPass       = 10_000 * time.Hour
)

func (s modelSettings) options() []mailbox.KindOption {
	opts := []mailbox.KindOption{
		mailbox.WithCapacity(s.Capacity), mailbox.WithOverflow(s.Overflow),
		mailbox.WithErrorPolicy(s.OnError), mailbox.WithPanicPolicy(s.OnPanic),
		mailbox.WithRestartPolicy(mailbox.RestartPolicy{
			MaxFailures: s.Limit, Decay: modelDecay, MinBackoff: modelMinBackoff, MaxBackoff: modelMaxBackoff,
		}),
	}
	if s.Own {
		opts = append(opts, mailbox.WithDedicatedGoroutine())
	}
	if s.Passivate {
		opts = append(opts, mailbox.WithPassivation(modelIdle))
	}
	return opts
}

// shared is what all actors of a run know.
type shared struct {
	dismissed atomic.Bool  // they wait no more
	looked    atomic.Int64 // how often they were looked at; whoever loads it comes after that
}

// actor is what handles the messages of a process. Nothing guards it: it is
// looked at when all has settled, and the race detector is a witness.
type actor struct {
	ref         mailbox.Ref[memo]
	log         []string
	starts      int
	start, save handlingPlan
	gate        chan struct{} // where it waits, or did
	left        map[int]mailbox.Reply[int]
	shared      *shared
}

func (a *actor) note(format string, args ...any) {
	a.log = append(a.log, fmt.Sprintf(format, args...))
}

func (a *actor) wait(ctx context.Context, g gate) error {
	var over <-chan struct{}
	switch {
	case g == gateOpen || a.shared.dismissed.Load():
		return nil
	case g == gatePolite:
		over = ctx.Done()
	}
	a.gate = make(chan struct{})
	select {
	case <-a.gate:
		return nil
	case <-over:
		return ctx.Err()
	}
}

func (a *actor) release() {
	g := a.gate
	a.gate = nil
	close(g)
}

// carryOut does what the plan says.
func (a *actor) carryOut(ctx context.Context, p handlingPlan) error {
	if err := a.wait(ctx, p.gate); err != nil {
		return err
	}
	return p.effect.do(ctx)
}

func (d effect) do(ctx context.Context) error {
	switch d {
	case effectError:
		return fails(ctx)
	case effectPanic:
		return panics(ctx)
	case effectExit:
		return exits(ctx)
	default:
		return nil
	}
}

// makeInstance is the actor's Start.
func (a *actor) makeInstance(ctx context.Context, self mailbox.Ref[memo]) (mailbox.Instance[memo], error) {
	a.shared.looked.Load()
	p := a.start
	a.start = handlingPlan{}
	if self != a.ref {
		a.note("somebody else's start")
	}
	if err := a.carryOut(ctx, p); err != nil || p.effect == effectEmpty {
		return mailbox.Instance[memo]{}, err
	}
	a.starts++
	number := a.starts
	return mailbox.Instance[memo]{
		Handle: func(ctx context.Context, m memo) error { return a.handle(ctx, number, m) },
		Save: func(ctx context.Context) error {
			a.shared.looked.Load()
			p := a.save
			a.save = handlingPlan{}
			return a.carryOut(ctx, p)
		},
	}, nil
}

func (a *actor) handle(ctx context.Context, instance int, m memo) error {
	a.shared.looked.Load()
	a.note("%d by %d", m.id, instance)
	if err := a.wait(ctx, m.gate); err != nil {
		return err
	}
	switch {
	case m.answer:
		a.note("answered %t", m.reply.Answer(m.id))
	case m.reply != mailbox.Reply[int]{}:
		a.left[m.id] = m.reply
	}
	if m.effect == effectSelf {
		self, _ := mailbox.Self[memo](ctx)
		a.note("self %s", outcome(self.Send(ctx, memo{id: m.id + 1})))
	}
	return m.effect.do(ctx)
}
