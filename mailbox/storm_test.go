// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

const (
	stormSenders   = 6
	stormEach      = 500
	stormProcesses = 5
	stormHops      = 2
)

// storm is a system in which everything that can happen does, at random.
type storm struct {
	seed     uint64
	pause    func(time.Duration)
	calls    bool // with seeds that are even; the others can be checked exactly
	sys      *mailbox.System
	group    *mailbox.Group[flake]
	slots    [stormProcesses]atomic.Pointer[mailbox.Ref[flake]]
	own      tally
	messages atomic.Int64
	late     sync.WaitGroup // who answers after the handler
	log      []entry
}

// flake is a message of a storm.
type flake struct {
	id, hops int
	dice     uint64
	reply    mailbox.Reply[int]
}

// entry is what became of one message, by its sender and by its handlers.
type entry struct{ taken, refused, doubtful, handled atomic.Int32 }

// tally is what the senders and the handlers count by themselves.
type tally struct {
	started, accepted, full, stopped, cancelled, rejected, doubtful, handled, failed atomic.Uint64
}

func (o *tally) finished() uint64 {
	return o.accepted.Load() + o.full.Load() + o.stopped.Load() + o.cancelled.Load() +
		o.rejected.Load() + o.doubtful.Load()
}

func newStorm(t *testing.T, seed uint64, pause func(time.Duration)) *storm {
	t.Helper()
	s := &storm{seed: seed, pause: pause, calls: seed%2 == 0, log: make([]entry, 1<<17)}
	s.sys = newSystem(t, mailbox.WithHandlerSendTimeout(100*time.Microsecond))
	s.group = newGroup[flake](t, s.sys, "storm")
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range s.slots {
		s.respawn(t, i, random)
	}
	return s
}

// respawn puts a new process, of settings by chance, into slot i.
func (s *storm) respawn(t *testing.T, i int, random *rand.Rand) {
	t.Helper()
	opts := []mailbox.KindOption{
		mailbox.WithCapacity(1 + random.IntN(8)),
		mailbox.WithOverflow(mailbox.Overflow(random.IntN(3))),
		mailbox.WithErrorPolicy(mailbox.FailurePolicy(random.IntN(10) / 9)),
		mailbox.WithPanicPolicy(mailbox.FailurePolicy(random.IntN(2))),
	}
	if random.IntN(3) == 0 {
		opts = append(opts, mailbox.WithDedicatedGoroutine())
	}
	ref, err := mailbox.Spawn(s.sys, "storm", s.handle, opts...)
	if assert.NoError(t, err) {
		s.slots[i].Store(&ref)
		_ = s.group.Join(ref) // It may have been killed meanwhile.
	}
}

// handle does what the dice say: work, fail in any way, or send on.
func (s *storm) handle(ctx context.Context, m flake) (err error) {
	random := rand.New(rand.NewPCG(m.dice, s.seed))
	s.log[m.id].handled.Add(1)
	ok := false
	defer func() {
		if ok && err == nil {
			s.own.handled.Add(1)
		} else {
			s.own.failed.Add(1)
		}
	}()
	if random.IntN(4) == 0 {
		s.pause(time.Duration(random.IntN(200)) * time.Microsecond)
	}
	if m.hops > 0 && random.IntN(3) == 0 {
		s.send(ctx, random, m.hops-1)
	}
	switch random.IntN(8) {
	case 0, 1, 2, 3:
		m.reply.Answer(m.id)
	case 4: // Later, by somebody else.
		s.late.Go(func() {
			s.pause(100 * time.Microsecond)
			m.reply.Answer(m.id)
		})
	}
	switch n := random.IntN(200); {
	case n < 10:
		err = errSpilt
	case n < 14:
		panic(errSpilt)
	case n < 16:
		runtime.Goexit()
	}
	ok = true
	return err
}

// send sends one message, or broadcasts one, and notes how that went.
func (s *storm) send(ctx context.Context, random *rand.Rand, hops int) {
	m := flake{id: int(s.messages.Add(1) - 1), hops: hops, dice: random.Uint64()}
	log := &s.log[m.id]
	to := *s.slots[random.IntN(stormProcesses)].Load()
	if random.IntN(4) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(random.IntN(300))*time.Microsecond)
		defer cancel()
	}
	switch n := random.IntN(100); {
	case n < 60:
		s.own.started.Add(1)
		s.note(log, to.Send(ctx, m))
	case n < 80:
		s.own.started.Add(1)
		s.note(log, to.TrySend(ctx, m))
	case n < 90 && s.calls:
		s.own.started.Add(1)
		s.call(ctx, to, m, log)
	default:
		s.broadcast(ctx, m, log)
	}
}

func (s *storm) note(log *entry, err error) {
	switch {
	case err == nil:
		log.taken.Add(1)
		s.own.accepted.Add(1)
		return
	case errors.Is(err, mailbox.ErrFull):
		s.own.full.Add(1)
	case errors.Is(err, mailbox.ErrStopped):
		s.own.stopped.Add(1)
	default: // A context's error.
		s.own.cancelled.Add(1)
	}
	log.refused.Add(1)
}

// call calls, for a short time only: not every call is answered.
func (s *storm) call(ctx context.Context, to mailbox.Ref[flake], m flake, log *entry) {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Microsecond)
	defer cancel()
	answer, err := mailbox.Call(ctx, to, func(r mailbox.Reply[int]) flake {
		m.reply = r
		return m
	})
	var panicked *mailbox.PanicError
	switch {
	case err == nil && answer != m.id:
		panic("another call's answer")
	case errors.Is(err, mailbox.ErrSelfCall): // Nothing was sent.
		s.own.started.Add(^uint64(0))
	case err == nil, errors.Is(err, errSpilt), errors.As(err, &panicked),
		errors.Is(err, mailbox.ErrGoexit), errors.Is(err, mailbox.ErrDropped):
		s.note(log, nil)
	case errors.Is(err, mailbox.ErrFull):
		s.note(log, err)
	default: // Refused, or accepted and never answered.
		log.doubtful.Add(1)
		s.own.doubtful.Add(1)
	}
}

// broadcast counts as many messages as there are members, more than there
// ever are of those until it knows.
func (s *storm) broadcast(ctx context.Context, m flake, log *entry) {
	const many = 1000
	s.own.started.Add(many)
	d := s.group.Broadcast(ctx, m)
	log.taken.Add(int32(d.Delivered))
	log.refused.Add(int32(d.Refused))
	s.own.accepted.Add(uint64(d.Delivered))
	s.own.rejected.Add(uint64(d.Refused))
	s.own.started.Add(uint64(d.Size) - many)
}

// blow has all senders send, and kill and stop what they send to now and then.
func (s *storm) blow(t *testing.T) {
	t.Helper()
	var wg sync.WaitGroup
	for sender := range stormSenders {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(s.seed, uint64(sender)+1))
			for range stormEach {
				s.send(context.Background(), random, stormHops)
				switch random.IntN(60) {
				case 0:
					s.replace(t, random, func(old mailbox.Ref[flake]) { old.Kill() })
				case 1:
					s.replace(t, random, func(old mailbox.Ref[flake]) {
						ctx, cancel := context.WithTimeout(context.Background(), 50*time.Microsecond)
						defer cancel()
						_ = old.Stop(ctx)
					})
				case 2:
					s.pause(time.Duration(random.IntN(500)) * time.Microsecond)
				}
			}
		})
	}
	wg.Wait()
}

func (s *storm) replace(t *testing.T, random *rand.Rand, end func(old mailbox.Ref[flake])) {
	t.Helper()
	i := random.IntN(stormProcesses)
	old := *s.slots[i].Load()
	s.respawn(t, i, random)
	end(old)
}

// sample checks that the system's counts add up now and lie between what the
// senders knew before and what they know after.
func (s *storm) sample(t *testing.T) {
	t.Helper()
	finished, accepted := s.own.finished(), s.own.accepted.Load()
	stats := s.sys.Stats()
	started, handled, failed := s.own.started.Load(), s.own.handled.Load(), s.own.failed.Load()

	assert.Equal(t, stats.Accepted, stats.Handled+stats.Failed+stats.DeadLetters.Total()+stats.Queued, "%+v", stats)
	sent := stats.Accepted + stats.Refused.Total() + stats.Waiting
	assert.GreaterOrEqual(t, sent, finished)
	assert.LessOrEqual(t, sent, started)
	assert.GreaterOrEqual(t, stats.Accepted, accepted)
	assert.LessOrEqual(t, stats.Handled, handled)
	assert.LessOrEqual(t, stats.Failed, failed)
}

// end shuts the system down, at once or in peace, and returns its last counts.
func (s *storm) end(t *testing.T) mailbox.Stats {
	t.Helper()
	defer s.late.Wait()
	if s.seed%3 > 0 {
		drain(t, s.sys)
		return s.sys.Stats()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := s.sys.Stats().DeadLetters.Total()
	err := s.sys.Shutdown(ctx)
	drain(t, s.sys)
	if cut, ok := errors.AsType[*mailbox.ShutdownError](err); ok {
		// Handlers that were busy may have been refused, but dropped nothing.
		assert.LessOrEqual(t, cut.DeadLetters, s.sys.Stats().DeadLetters.Total()-before)
	} else {
		assert.NoError(t, err)
	}
	return s.sys.Stats()
}

// requireWild checks that it was a storm at all.
func (s *storm) requireWild(t *testing.T, stats mailbox.Stats) {
	t.Helper()
	t.Logf("%+v, doubtful %d", stats, s.own.doubtful.Load())
	require.Greater(t, stats.Handled, uint64(stormSenders*stormEach/10))
	require.NotZero(t, stats.Failed)
	require.NotZero(t, stats.Refused.Full)
	require.NotZero(t, stats.DeadLetters.Total())
}
