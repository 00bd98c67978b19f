// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/waybill-go/waybill/mailbox"
)

const (
	crowdSlots = 4
	crowdName  = "anna"
	crowdShort = 50 * time.Microsecond // for those who do not wait for long
)

// TestModelCrowd runs programs by chance in several goroutines at once, and
// checks at the end what must hold in whichever order it all went.
func TestModelCrowd(t *testing.T) {
	for name, run := range map[string]func(*rapid.T, func(*rapid.T)){
		"in a bubble":  rapid.SyncTest,
		"in real time": func(rt *rapid.T, prop func(*rapid.T)) { prop(rt) },
	} {
		t.Run(name, rapid.MakeCheck(func(rt *rapid.T) {
			program := drawCrowd(rt)
			run(rt, func(rt *rapid.T) {
				c := newModelCrowd(rt, program)
				c.play(rt)
				require.Empty(rt, c.complaints(c.sys.Stats()))
			})
		}))
	}
}

// crowdProgram is what each of several goroutines does.
type crowdProgram struct {
	settings [crowdSlots + 1]modelSettings // of what is spawned for a slot, and for the name
	calls    bool                          // and watches, which nobody can count exactly
	steps    [][]crowdStep
}

// crowdStep is something to do. If that is to send a message, the rest says what
// its handler does.
type crowdStep struct {
	Do, Then crowdAct
	To, On   int // slots
	Hops     int // how often its handlers send on
	Hurry    bool
	Answer   crowdAnswer
	Deed     deed
}

type crowdAct string

const (
	crowdSend      crowdAct = "send"
	crowdTry       crowdAct = "try to send"
	crowdCall      crowdAct = "call"
	crowdBroadcast crowdAct = "broadcast"
	crowdNamed     crowdAct = "send to the name"
	crowdJoin      crowdAct = "join"
	crowdLeave     crowdAct = "leave"
	crowdStop      crowdAct = "stop"
	crowdKill      crowdAct = "kill"
	crowdSpawn     crowdAct = "spawn"
	crowdPassivate crowdAct = "passivated"
	crowdWatch     crowdAct = "watch"
	crowdLink      crowdAct = "link"
	crowdPause     crowdAct = "pause"
)

type crowdAnswer string

const (
	answerNow   crowdAnswer = "now"
	answerLater crowdAnswer = "later"
	answerNever crowdAnswer = "never"
)

func drawCrowd(rt *rapid.T) (p crowdProgram) {
	for i := range p.settings {
		p.settings[i] = drawSettings(rt, i == crowdSlots || rapid.Bool().Draw(rt, "from a start"))
	}
	p.calls = rapid.Bool().Draw(rt, "calls")
	sends := []crowdAct{crowdSend, crowdTry, crowdBroadcast, crowdNamed}
	others := []crowdAct{crowdPause, crowdPassivate, crowdJoin, crowdLeave, crowdSpawn, crowdSpawn, crowdStop, crowdKill}
	if p.calls {
		sends = append(sends, crowdCall, crowdCall)
		others = append(others, crowdWatch, crowdLink)
	}
	deeds := append(make([]deed, 12), deedError, deedPanic, deedExit) // Mostly none.
	step := rapid.Custom(func(rt *rapid.T) crowdStep {
		slot := rapid.IntRange(0, crowdSlots-1)
		return crowdStep{
			Do:   rapid.SampledFrom(slices.Concat(sends, sends, sends, others)).Draw(rt, "do"),
			Then: rapid.SampledFrom(slices.Concat(sends, others[:2])).Draw(rt, "then"),
			To:   slot.Draw(rt, "to"), On: slot.Draw(rt, "on"),
			Hops:   rapid.IntRange(0, 2).Draw(rt, "hops"),
			Hurry:  rapid.Bool().Draw(rt, "hurry"),
			Answer: rapid.SampledFrom([]crowdAnswer{answerNow, answerLater, answerNever}).Draw(rt, "answer"),
			Deed:   rapid.SampledFrom(deeds).Draw(rt, "deed"),
		}
	})
	p.steps = rapid.SliceOfN(rapid.SliceOfN(step, 20, 60), 2, 4).Draw(rt, "steps")
	return p
}

// modelCrowd is such a program on its way.
type modelCrowd struct {
	program crowdProgram
	sys     *mailbox.System
	kinds   [crowdSlots + 1]*mailbox.Kind[crowdMessage]
	group   *mailbox.Group[crowdMessage]
	slots   [crowdSlots]atomic.Pointer[mailbox.Ref[crowdMessage]]
	named   *crowdActor
	ids     atomic.Int64
	notices atomic.Uint64
	heard   atomic.Uint64 // answers
	unheard atomic.Uint64
	late    sync.WaitGroup // who answers later

	mu      sync.Mutex
	senders []*crowdSender
	actors  []*crowdActor
}

func newModelCrowd(t require.TestingT, program crowdProgram) *modelCrowd {
	c := &modelCrowd{program: program, sys: mailbox.NewSystem(mailbox.WithHandlerSendTimeout(crowdShort))}
	c.group = newGroup[crowdMessage](t, c.sys, "crowd")
	for i, s := range program.settings {
		opts := append(s.options(), mailbox.WithRestartPolicy(mailbox.RestartPolicy{
			MaxFailures: s.Limit, MinBackoff: crowdShort / 10, MaxBackoff: crowdShort,
		}))
		if s.Passivate {
			opts = append(opts, mailbox.WithPassivation(crowdShort))
		}
		var err error
		c.kinds[i], err = mailbox.NewKind[crowdMessage](c.sys, "crowd", opts...)
		require.NoError(t, err)
	}
	c.named = c.newActor()
	for i := range c.slots {
		c.spawn(i)
	}
	return c
}

// play runs the program until nothing is left of it.
func (c *modelCrowd) play(t require.TestingT) {
	var goroutines sync.WaitGroup
	begin := make(chan struct{})
	for _, steps := range c.program.steps {
		s := c.newSender()
		goroutines.Go(func() {
			<-begin
			for _, step := range steps {
				c.perform(context.Background(), s, step)
			}
		})
	}
	close(begin)
	goroutines.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, c.sys.Shutdown(ctx))
	c.late.Wait()
}

func (c *modelCrowd) newSender() *crowdSender {
	s := &crowdSender{taken: make(map[int]int), doubtful: make(map[int]int)}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.sender = len(c.senders)
	c.senders = append(c.senders, s)
	return s
}

func (c *modelCrowd) newActor() *crowdActor {
	a := &crowdActor{crowd: c, crowdSender: c.newSender()}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.actors = append(c.actors, a)
	return a
}

// spawn puts a new process into the slot.
func (c *modelCrowd) spawn(slot int) {
	a := c.newActor()
	var ref mailbox.Ref[crowdMessage]
	var err error
	if c.program.settings[slot].Start {
		ref, err = c.kinds[slot].SpawnInstance("", a.makeInstance)
	} else {
		ref, err = c.kinds[slot].Spawn("", a.handle)
	}
	if err == nil {
		c.slots[slot].Store(&ref)
		_ = c.group.Join(ref) // It may have ended.
	}
}

// perform does one step. Who is a handler gives its context.
func (c *modelCrowd) perform(ctx context.Context, s *crowdSender, step crowdStep) {
	to, on := *c.slots[step.To].Load(), *c.slots[step.On].Load()
	if named, ok := c.kinds[crowdSlots].Lookup(crowdName); ok && step.To == step.On {
		to = named
	}
	short, cancel := context.WithTimeout(ctx, crowdShort)
	defer cancel()
	if step.Hurry {
		ctx = short
	}
	switch step.Do {
	case crowdSend:
		m := c.message(s, step)
		s.note(m.id, to.Send(ctx, m))
	case crowdTry:
		m := c.message(s, step)
		s.note(m.id, to.TrySend(ctx, m))
	case crowdNamed:
		if ref, err := c.kinds[crowdSlots].GetOrSpawn(crowdName, c.named.makeInstance); err == nil {
			m := c.message(s, step)
			s.note(m.id, ref.Send(ctx, m))
		}
	case crowdCall:
		c.call(short, s, to, c.message(s, step))
	case crowdBroadcast:
		m := c.message(s, step)
		s.noteAll(m.id, c.group.Broadcast(ctx, m))
	case crowdJoin:
		_ = c.group.Join(to)
	case crowdLeave:
		c.group.Leave(to)
	case crowdStop:
		_ = to.Stop(short)
	case crowdKill:
		to.Kill()
	case crowdSpawn:
		c.spawn(step.To)
	case crowdPassivate:
		to.Passivate()
	case crowdWatch:
		mailbox.Watch(to, on, func(mailbox.Termination) crowdMessage {
			c.notices.Add(1)
			return crowdMessage{id: noticeID}
		})
	case crowdLink:
		mailbox.Link(to, on)
	case crowdPause:
		for range step.Hops {
			runtime.Gosched()
		}
		if step.Hurry {
			time.Sleep(crowdShort)
		}
	}
}

func (c *modelCrowd) message(s *crowdSender, step crowdStep) crowdMessage {
	s.number++
	return crowdMessage{id: int(c.ids.Add(1)), sender: s.sender, number: s.number, step: step}
}

func (c *modelCrowd) call(ctx context.Context, s *crowdSender, to mailbox.Ref[crowdMessage], m crowdMessage) {
	answer, err := mailbox.Call(ctx, to, func(r mailbox.Reply[int]) crowdMessage {
		m := m
		m.reply = r
		return m
	})
	if err == nil && answer != m.id {
		panic(fmt.Sprintf("call %d got answer %d", m.id, answer))
	}
	s.noteCall(m.id, err)
}
