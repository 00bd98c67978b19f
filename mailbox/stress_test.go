// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"

	"github.com/waybill-go/waybill/mailbox"
)

const (
	stressSlots = 4
	stressName  = "anna"
	stressShort = 50 * time.Microsecond // for those who do not wait for long
	stressTicks = 1 << 32               // more than a timer ever sends
)

// TestStress runs programs by chance in several goroutines at once, and checks
// while they run and at the end what must hold in whichever order it all went.
func TestStress(t *testing.T) {
	var all mailbox.Stats
	check := func(t require.TestingT, program stressProgram) {
		r := newStressRun(newStressService(t, program.Settings), program)
		r.play(t, r.shutdown)
		stats := r.sys.Stats()
		require.Empty(t, r.mistakes(stats))
		all = mailbox.AddStats(all, stats)
	}
	short, long := stressPrograms(2, 4, 20, 60), stressPrograms(4, 6, 200, 500)
	t.Run("in a bubble", rapid.MakeCheck(func(rt *rapid.T) {
		program := short.Draw(rt, "program")
		rapid.SyncTest(rt, func(rt *rapid.T) { check(rt, program) })
	}))
	t.Run("in real time", rapid.MakeCheck(func(rt *rapid.T) { check(rt, short.Draw(rt, "program")) }))
	t.Run("for long", func(t *testing.T) {
		first := rand.IntN(1 << 30)
		for seed := first; seed < first+40; seed++ {
			t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { check(t, long.Example(seed)) })
		}
	})
	t.Logf("%+v", all)
	for name, n := range map[string]uint64{
		"handled": all.Handled, "failed": all.Failed, "late replies": all.LateReplies,
		"full": all.Refused.Full, "stopped": all.Refused.Stopped, "cancelled": all.Refused.Cancelled,
		"killed": all.DeadLetters.Killed, "ended by a failure": all.DeadLetters.Failed,
		"dropped": all.DeadLetters.Dropped, "expired": all.DeadLetters.Expired,
		"restarts": all.Restarts, "passivated": all.Passivated, "save failures": all.SaveFailures,
	} {
		assert.NotZero(t, n, "no program has come to that: %s", name)
	}
}

// stressProgram is what each of several goroutines does.
type stressProgram struct {
	Settings stressSettings
	Calls    bool // and watches, which nobody can count exactly
	Timers   bool // which nobody can count at all
	CutShort bool // the shutdown does not wait
	Steps    [][]stressStep
}

// stressSettings are those of what is spawned for each slot, and for the name.
type stressSettings [stressSlots + 1]modelSettings

// stressStep is something to do. If that is to send a message, the rest says what
// its handler does.
type stressStep struct {
	Do, Then stressAct
	To, On   int // slots
	Hops     int // how often its handlers send on
	Hurry    bool
	Traced   bool
	Answer   stressAnswer
	Effect   effect
}

type stressAct string

const (
	actSend      stressAct = "send"
	actTry       stressAct = "try to send"
	actCall      stressAct = "call"
	actBroadcast stressAct = "broadcast"
	actNamed     stressAct = "send to the name"
	actJoin      stressAct = "join"
	actLeave     stressAct = "leave"
	actStop      stressAct = "stop"
	actKill      stressAct = "kill"
	actSpawn     stressAct = "spawn"
	actPassivate stressAct = "passivated"
	actWatch     stressAct = "watch"
	actLink      stressAct = "link"
	actTimer     stressAct = "send after"
	actTick      stressAct = "send every"
	actPause     stressAct = "pause"
)

type stressAnswer string

const (
	answerNow   stressAnswer = "now"
	answerLater stressAnswer = "later"
	answerNever stressAnswer = "never"
)

// stressPrograms generates programs of so many goroutines, of so many steps each.
func stressPrograms(fewest, most, shortest, longest int) *rapid.Generator[stressProgram] {
	return rapid.Custom(func(rt *rapid.T) (p stressProgram) {
		p.Settings = drawStressSettings(rt)
		p.Calls, p.Timers = rapid.Bool().Draw(rt, "calls"), rapid.IntRange(0, 3).Draw(rt, "timers") == 0
		p.CutShort = rapid.IntRange(0, 2).Draw(rt, "cut short") == 0
		sends := []stressAct{actSend, actTry, actBroadcast, actNamed}
		others := []stressAct{actPause, actPassivate, actJoin, actLeave, actSpawn, actSpawn, actStop, actKill}
		if p.Calls {
			sends = append(sends, actCall, actCall)
			others = append(others, actWatch, actLink)
		}
		if p.Timers {
			others = append(others, actTimer, actTick)
		}
		effects := append(make([]effect, 12), effectError, effectPanic, effectExit) // Mostly none.
		step := rapid.Custom(func(rt *rapid.T) stressStep {
			slot := rapid.IntRange(0, stressSlots-1)
			return stressStep{
				Do:   rapid.SampledFrom(slices.Concat(sends, sends, sends, others)).Draw(rt, "do"),
				Then: rapid.SampledFrom(slices.Concat(sends, others[:2])).Draw(rt, "then"),
				To:   slot.Draw(rt, "to"), On: slot.Draw(rt, "on"),
				Hops:   rapid.IntRange(0, 2).Draw(rt, "hops"),
				Hurry:  rapid.Bool().Draw(rt, "hurry"),
				Traced: rapid.IntRange(0, 7).Draw(rt, "traced") == 0,
				Answer: rapid.SampledFrom([]stressAnswer{answerNow, answerLater, answerNever}).Draw(rt, "answer"),
				Effect: rapid.SampledFrom(effects).Draw(rt, "effect"),
			}
		})
		p.Steps = rapid.SliceOfN(rapid.SliceOfN(step, shortest, longest), fewest, most).Draw(rt, "steps")
		for i := range p.Steps { // All ask at once for what is not there yet.
			p.Steps[i][0].Do = actNamed
		}
		return p
	})
}

func drawStressSettings(rt *rapid.T) (all stressSettings) {
	for i := range all {
		all[i] = drawSettings(rt, i == stressSlots || rapid.Bool().Draw(rt, "from a start"))
		all[i].Capacity = rapid.SampledFrom([]int{1, 2, 3, 4, 7, 20, 1000}).Draw(rt, "more capacity")
	}
	return all
}

// stressService is what programs run in.
type stressService struct {
	settings stressSettings
	sys      *mailbox.System
	tracer   trace.Tracer
	kinds    [stressSlots + 1]*mailbox.Kind[stressMessage]
	group    *mailbox.Group[stressMessage]
}

func newStressService(t require.TestingT, settings stressSettings, opts ...mailbox.SystemOption) *stressService {
	provider := sdktrace.NewTracerProvider()
	s := &stressService{settings: settings, tracer: provider.Tracer("stress")}
	s.sys = mailbox.NewSystem(append(opts,
		mailbox.WithHandlerSendTimeout(stressShort), mailbox.WithTracerProvider(provider))...)
	s.group = newGroup[stressMessage](t, s.sys, "stress")
	for i, own := range settings {
		opts := append(own.options(), mailbox.WithRestartPolicy(mailbox.RestartPolicy{
			MaxFailures: own.Limit, MinBackoff: stressShort / 10, MaxBackoff: stressShort,
		}))
		if own.Passivate {
			opts = append(opts, mailbox.WithPassivation(stressShort))
		}
		var err error
		s.kinds[i], err = mailbox.NewKind[stressMessage](s.sys, "stress", opts...)
		require.NoError(t, err)
	}
	return s
}

// stressRun is a program on its way.
type stressRun struct {
	*stressService

	program stressProgram
	slots   [stressSlots]atomic.Pointer[mailbox.Ref[stressMessage]]
	named   *stressActor
	ids     atomic.Int64
	notices atomic.Uint64
	timers  atomic.Uint64 // how many messages they have sent at most
	heard   atomic.Uint64 // answers
	unheard atomic.Uint64
	known   stressKnown
	late    sync.WaitGroup // who answers later

	mu      sync.Mutex
	senders []*stressSender
	actors  []*stressActor
	refs    []mailbox.Ref[stressMessage]
	wrong   []string // what was found while it ran
}

func newStressRun(s *stressService, program stressProgram) *stressRun {
	r := &stressRun{stressService: s, program: program}
	r.named = r.newActor()
	for i := range r.slots {
		r.spawn(i)
	}
	return r
}

// play runs the program until nothing is left of it, which end sees to.
func (r *stressRun) play(t require.TestingT, end func(require.TestingT)) {
	var goroutines, observer sync.WaitGroup
	begin, over := make(chan struct{}), make(chan struct{})
	for _, steps := range r.program.Steps {
		s := r.newSender()
		goroutines.Go(func() {
			<-begin
			for _, step := range steps {
				r.perform(context.Background(), s, step)
			}
		})
	}
	observer.Go(func() { r.observe(over) })
	close(begin)
	goroutines.Wait()
	end(t)
	close(over)
	observer.Wait()
	r.late.Wait()
}

// shutdown ends the system, in peace or not.
func (r *stressRun) shutdown(t require.TestingT) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if r.program.CutShort {
		now, cancel := context.WithCancel(ctx)
		cancel()
		before := r.sys.Stats().DeadLetters.Total()
		err := r.sys.Shutdown(now)
		require.NoError(t, r.sys.Shutdown(ctx))
		if cut, ok := errors.AsType[*mailbox.ShutdownError](err); ok {
			// Handlers that were busy may have been refused, but dropped nothing.
			require.LessOrEqual(t, cut.DeadLetters, r.sys.Stats().DeadLetters.Total()-before)
			return
		}
		require.NoError(t, err)
	}
	require.NoError(t, r.sys.Shutdown(ctx))
}

func (r *stressRun) newSender() *stressSender {
	s := &stressSender{taken: make(map[int]int), doubtful: make(map[int]int)}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.sender = len(r.senders)
	r.senders = append(r.senders, s)
	return s
}

func (r *stressRun) newActor() *stressActor {
	a := &stressActor{run: r, stressSender: r.newSender()}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.actors = append(r.actors, a)
	return a
}

// spawn puts a new process into the slot.
func (r *stressRun) spawn(slot int) {
	a := r.newActor()
	var ref mailbox.Ref[stressMessage]
	var err error
	if r.settings[slot].Start {
		ref, err = r.kinds[slot].SpawnInstance("", a.makeInstance)
	} else {
		ref, err = r.kinds[slot].Spawn("", a.handle)
	}
	if err == nil {
		r.slots[slot].Store(&ref)
		r.mu.Lock()
		r.refs = append(r.refs, ref)
		r.mu.Unlock()
		_ = r.group.Join(ref) // It may have ended.
	}
}

// perform does one step. Who is a handler gives its context.
func (r *stressRun) perform(ctx context.Context, s *stressSender, step stressStep) {
	to, on := *r.slots[step.To].Load(), *r.slots[step.On].Load()
	if named, ok := r.kinds[stressSlots].Lookup(stressName); ok && step.To == step.On {
		to = named
	}
	short, cancel := context.WithTimeout(ctx, stressShort)
	defer cancel()
	if step.Hurry {
		ctx = short
	}
	if step.Traced {
		traced, span := r.tracer.Start(ctx, "request")
		ctx = traced
		defer span.End()
	}
	switch step.Do {
	case actSend:
		r.send(s, step, func(m stressMessage) error { return to.Send(ctx, m) })
	case actTry:
		r.send(s, step, func(m stressMessage) error { return to.TrySend(ctx, m) })
	case actNamed:
		if ref, err := r.kinds[stressSlots].GetOrSpawn(stressName, r.named.makeInstance); err == nil {
			r.send(s, step, func(m stressMessage) error { return ref.Send(ctx, m) })
		}
	case actCall:
		r.call(short, s, to, r.message(s, step))
	case actBroadcast:
		r.broadcast(ctx, s, r.message(s, step))
	case actJoin:
		_ = r.group.Join(to)
	case actLeave:
		r.group.Leave(to)
	case actStop:
		_ = to.Stop(short)
	case actKill:
		to.Kill()
	case actSpawn:
		r.spawn(step.To)
	case actPassivate:
		to.Passivate()
	case actWatch:
		mailbox.Watch(to, on, func(mailbox.Termination) stressMessage {
			r.known.begun.Add(1)
			r.notices.Add(1)
			return stressMessage{id: noticeID}
		})
	case actLink:
		mailbox.Link(to, on)
	case actTimer:
		r.expectTimer(1)
		to.SendAfter(ctx, time.Duration(step.Hops)*stressShort, stressMessage{id: noticeID})
	case actTick:
		r.expectTimer(stressTicks)
		timer := to.SendEvery(ctx, stressShort, stressMessage{id: noticeID})
		time.AfterFunc(time.Duration(step.Hops)*2*stressShort, func() { timer.Stop() })
	case actPause:
		for range step.Hops {
			runtime.Gosched()
		}
		if step.Hurry {
			time.Sleep(stressShort)
		}
	}
}

func (r *stressRun) message(s *stressSender, step stressStep) stressMessage {
	s.number++
	return stressMessage{id: int(r.ids.Add(1)), sender: s.sender, number: s.number, step: step}
}

// expectTimer says that a timer sends so many messages, or fewer.
func (r *stressRun) expectTimer(most uint64) {
	r.timers.Add(most)
	r.known.begun.Add(most)
}

func (r *stressRun) send(s *stressSender, step stressStep, send func(stressMessage) error) {
	m := r.message(s, step)
	r.known.begun.Add(1)
	err := send(m)
	s.note(m.id, err)
	r.known.ended(1, err == nil)
}

// broadcast counts as many messages as there are members, more than there
// ever are of those until it knows.
func (r *stressRun) broadcast(ctx context.Context, s *stressSender, m stressMessage) {
	const many = 1_000_000
	r.known.begun.Add(many)
	d := r.group.Broadcast(ctx, m)
	r.known.begun.Add(uint64(d.Size) - many)
	s.noteAll(m.id, d)
	r.known.ended(d.Delivered, true)
	r.known.ended(d.Refused, false)
}

func (r *stressRun) call(ctx context.Context, s *stressSender, to mailbox.Ref[stressMessage], m stressMessage) {
	r.known.begun.Add(1)
	answer, err := mailbox.Call(ctx, to, func(r mailbox.Reply[int]) stressMessage {
		m := m
		m.reply = r
		return m
	})
	if err == nil && answer != m.id {
		panic(fmt.Sprintf("call %d got answer %d", m.id, answer))
	}
	if errors.Is(err, mailbox.ErrSelfCall) { // Nothing was sent.
		r.known.begun.Add(^uint64(0))
		return
	}
	r.known.ended(1, s.noteCall(m.id, err))
}
