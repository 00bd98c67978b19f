// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"flag"
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

	"github.com/waybill-go/waybill/mailbox"
)

var soakFor = flag.Duration("soak", 0, "how long TestSoak goes on, a few minutes at best")

const (
	soakClients  = 4
	soakSessions = 500
	soakActions  = 4000 // of each client in a round
)

// soak is a service that never rests: sessions come and go, are restarted and
// passivated, call each other and are broadcast to.
type soak struct {
	sys      *mailbox.System
	sessions *mailbox.Kind[job]
	group    *mailbox.Group[job]
	tracer   *sdktrace.TracerProvider
	handled  atomic.Uint64
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	s := &soak{tracer: sdktrace.NewTracerProvider()}
	s.sys = newSystem(t, mailbox.WithTracerProvider(s.tracer), mailbox.WithHandlerSendTimeout(time.Millisecond))
	var err error
	s.sessions, err = mailbox.NewKind[job](s.sys, "session",
		mailbox.WithCapacity(64),
		mailbox.WithPanicPolicy(mailbox.Restart),
		mailbox.WithRestartPolicy(mailbox.RestartPolicy{MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond}),
		mailbox.WithPassivation(20*time.Millisecond))
	require.NoError(t, err)
	s.group = newGroup[job](t, s.sys, "sessions")
	return s
}

func (s *soak) start(context.Context, mailbox.Ref[job]) (mailbox.Instance[job], error) {
	state := make([]byte, 1<<10)
	return mailbox.Instance[job]{
		Handle: func(ctx context.Context, j job) error {
			state[0]++
			s.handled.Add(1)
			return j(ctx)
		},
		Save: func(context.Context) error { return nil },
	}, nil
}

// act does one thing that a service does.
func (s *soak) act(t *testing.T, random *rand.Rand) {
	ctx := context.Background()
	if random.IntN(20) == 0 {
		traced, span := s.tracer.Tracer("soak").Start(ctx, "request")
		ctx = traced
		defer span.End()
	}
	session := func() mailbox.Ref[job] {
		ref, err := s.sessions.GetOrSpawn(fmt.Sprint(random.IntN(soakSessions)), s.start)
		assert.NoError(t, err)
		return ref
	}
	ref := session()
	switch n := random.IntN(1000); {
	case n < 500:
		_ = ref.Send(ctx, nothing)
	case n < 600:
		ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		other := session()
		_, _ = mailbox.Call(ctx, ref, func(r mailbox.Reply[int]) job {
			return func(ctx context.Context) error {
				_ = other.Send(ctx, nothing)
				<-ctxDone(ctx, random.IntN(10) == 0)
				r.Answer(1)
				return nil
			}
		})
	case n < 700:
		_ = s.group.Join(ref)
	case n < 750:
		s.group.Leave(ref)
	case n < 760:
		s.group.Broadcast(ctx, nothing)
	case n < 800:
		ref.SendAfter(ctx, time.Duration(random.IntN(5))*time.Millisecond, nothing)
	case n < 850:
		timer := ref.SendEvery(ctx, time.Millisecond, nothing)
		time.AfterFunc(3*time.Millisecond, func() { timer.Stop() })
	case n < 880:
		_ = ref.Send(ctx, panics)
	case n < 900:
		mailbox.Watch(session(), ref, func(mailbox.Termination) job { return nothing })
	case n < 910:
		mailbox.Link(session(), ref)
	case n < 960:
		ref.Passivate()
	case n < 980:
		ref.Kill()
	default:
		_ = ref.Stop(ctx)
	}
}

// ctxDone returns a channel that is closed: now, or when ctx ends.
func ctxDone(ctx context.Context, later bool) <-chan struct{} {
	if later {
		return ctx.Done()
	}
	closed := make(chan struct{})
	close(closed)
	return closed
}

// round has all clients act, ends all sessions, and returns what is left of
// memory and goroutines when all is quiet.
func (s *soak) round(t *testing.T, seed uint64) (heap, goroutines int) {
	t.Helper()
	var wg sync.WaitGroup
	for client := range soakClients {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(client)))
			for range soakActions {
				s.act(t, random)
			}
		})
	}
	wg.Wait()
	for id := range soakSessions {
		if ref, ok := s.sessions.Lookup(fmt.Sprint(id)); ok {
			ref.Kill()
			await(t, ref.Done())
		}
	}
	requireAtRest(t, s.sys.Stats())
	for range 100 { // Until the workers and timers have gone.
		time.Sleep(5 * time.Millisecond)
		if goroutines = runtime.NumGoroutine(); goroutines <= 3 {
			break
		}
	}
	runtime.GC()
	runtime.GC() // Pools let go at the second.
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse), goroutines
}

// A service that goes on for long needs no more memory and goroutines than it
// did at the beginning.
func TestSoak(t *testing.T) {
	if *soakFor == 0 {
		t.Skip("a few minutes of load: go test ./mailbox -run Soak -soak 3m -timeout 10m")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := newSoak(t)
	begun := time.Now()
	var heaps, goroutines []int
	for i := uint64(0); time.Since(begun) < *soakFor; i++ {
		heap, n := s.round(t, seed+i)
		heaps, goroutines = append(heaps, heap), append(goroutines, n)
	}
	require.Greater(t, len(heaps), 9, "too short to tell")
	fifth := len(heaps) / 5
	early, late := slices.Clone(heaps[fifth:2*fifth]), slices.Clone(heaps[len(heaps)-fifth:])
	slices.Sort(early)
	slices.Sort(late)
	before, after := early[len(early)/2], late[len(late)/2]
	stats := s.sys.Stats()
	t.Logf("%d rounds, %d messages handled: %+v", len(heaps), s.handled.Load(), stats)
	assert.Equal(t, s.handled.Load(), stats.Handled+stats.Failed)
	t.Logf("memory: %d kB at first, %d kB at last; goroutines: %d and %d",
		before>>10, after>>10, goroutines[0], goroutines[len(goroutines)-1])
	assert.Less(t, after, before+before/20+64<<10, "memory")
	assert.LessOrEqual(t, slices.Max(goroutines), 3, "goroutines left")
}
