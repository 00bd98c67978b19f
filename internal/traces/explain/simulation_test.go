// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/traces/explain"
)

// simulation runs a program that is made up as it goes: handlers that work, call, send and broadcast.
// It writes the spans that such a program leaves, and for each thread how its time was spent: what it
// worked, and what it waited for. So the path is known without a look at the spans.
type simulation struct {
	r     *rand.Rand
	spans []tracetest.SpanStub
	last  thread // that ended last
	tied  bool   // two threads came to the same place at the same time: either way is the path
}

// thread is somebody at work, and the way that led there.
type thread struct {
	now float64 // in milliseconds
	way []piece
}

// piece is a part of a way, as a step of a path is written.
type piece struct {
	span     int
	what     explain.What
	from, to float64
}

// spend returns the thread after it has spent some time.
func (t thread) spend(span int, what explain.What, ms float64) thread {
	way := append([]piece(nil), t.way...) // Others may go on from t too.
	if n := len(way); n > 0 && way[n-1].span == span && way[n-1].what == what {
		way[n-1].to = t.now + ms
	} else {
		way = append(way, piece{span, what, t.now, t.now + ms})
	}
	return thread{t.now + ms, way}
}

// some returns a time that is most likely like no other.
func (s *simulation) some(ms float64) float64 { return float64(1+s.r.IntN(int(ms*1000))) / 1000 }

// open begins a span and returns its number.
func (s *simulation) open(parent int, kind trace.SpanKind, name string, at float64, o ...option) int {
	s.spans = append(s.spans, span(len(s.spans)+1, parent, kind, name, at, at, o...))
	return len(s.spans)
}

func (s *simulation) end(n int, t thread) {
	s.spans[n-1].EndTime = after(t.now)
	if s.meet(t, s.last); t.now > s.last.now {
		s.last = t
	}
}

// meet notes whether two ways end at the same time, by the clock that all times are drawn from.
func (s *simulation) meet(a, b thread) {
	s.tied = s.tied || math.Abs(a.now-b.now) < 0.0005 && !slices.Equal(a.way, b.way)
}

// run does some things in span n.
func (s *simulation) run(n int, t thread, depth int) thread {
	for range 1 + s.r.IntN(4) {
		if t = t.spend(n, explain.Work, s.some(10)); depth == 0 {
			continue
		}
		switch s.r.IntN(6) {
		case 0:
			t = s.inner(n, t, depth)
		case 1:
			t = s.call(n, t, depth)
		case 2:
			t = s.request(n, t, depth)
		case 3:
			s.send(n, t, depth)
		case 4:
			t = s.broadcast(n, t, depth)
		case 5:
			t = s.fork(n, t, depth)
		}
	}
	return t.spend(n, explain.Work, s.some(5))
}

// inner is a span of the same handler.
func (s *simulation) inner(parent int, t thread, depth int) thread {
	n := s.open(parent, []trace.SpanKind{internal, client, producer}[s.r.IntN(3)], "inner", t.now)
	t = s.run(n, t, depth-1)
	s.end(n, t)
	return t
}

// call waits for the answer of a process, whose handler may go on after it.
func (s *simulation) call(parent int, t thread, depth int) thread {
	id := fmt.Sprint(s.r.IntN(100))
	call := s.open(parent, internal, "call guild Get", t.now, of("guild", id, "Get"))
	t = t.spend(call, explain.Work, s.some(1))
	wait := s.some(20)
	n := s.open(call, internal, "guild Get", t.now+wait, of("guild", id, "Get"), queued(wait))
	t = t.spend(n, explain.Wait, wait)
	t = s.run(n, t, depth-1)
	after := t
	if s.r.IntN(2) == 0 {
		after = s.run(n, t, depth-1)
	}
	s.end(n, after)
	s.end(call, t)
	return t
}

// request waits for the answer of a server.
func (s *simulation) request(parent int, t thread, depth int) thread {
	c := s.open(parent, client, "request", t.now)
	t = t.spend(c, explain.Network, s.some(10))
	n := s.open(c, server, "request", t.now)
	t = s.run(n, t, depth-1)
	s.end(n, t)
	t = t.spend(c, explain.Network, s.some(10))
	s.end(c, t)
	return t
}

// send leaves a message to a process, or to who receives from a stream.
func (s *simulation) send(parent int, t thread, depth int) {
	wait, way := s.some(50), 0.0
	o := []option{queued(wait)}
	if s.r.IntN(2) == 0 {
		o = append(o, of("session", fmt.Sprint(s.r.IntN(100)), "Create"))
	} else {
		way = s.some(30)
		o = append(o, network(way), with(keys.ClocksCrossed.Bool(true)))
	}
	n := s.open(parent, consumer, "message", t.now+wait+way, o...)
	t = t.spend(n, explain.Wait, wait)
	if way > 0 {
		t = t.spend(n, explain.Network, way)
	}
	s.end(n, s.run(n, t, depth-1))
}

func (s *simulation) broadcast(parent int, t thread, depth int) thread {
	n := s.open(parent, producer, "broadcast", t.now)
	for range s.r.IntN(5) {
		s.send(n, t, depth)
	}
	t = t.spend(n, explain.Work, s.some(3))
	s.end(n, t)
	return t
}

// fork does two things side by side, and waits for both.
func (s *simulation) fork(parent int, t thread, depth int) thread {
	a, b := s.inner(parent, t, depth), s.inner(parent, t, depth)
	if s.meet(a, b); b.now > a.now {
		a = b
	}
	return a
}

// pathOf returns the path that is found, as way returns what it is.
func pathOf(t *testing.T, spans []tracetest.SpanStub) (lines []string) {
	t.Helper()
	e := explain.Explain(snapshots(spans...), nil)
	requireCover(t, e)
	for _, p := range e.Path {
		lines = append(lines, fmt.Sprintf("%d %v %.3f-%.3f", number(p.Span), p.What, ms(p.From), ms(p.To)))
	}
	return lines
}

func (t thread) lines() []string {
	lines := make([]string, 0, len(t.way))
	for _, p := range t.way {
		lines = append(lines, fmt.Sprintf("%d %v %.3f-%.3f", p.span, p.what, p.from, p.to))
	}
	return lines
}

// The path is the way that the program went, however it went. If it were taken for granted that spans
// wait for all that is below them, it would be another one.
func TestSimulations(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	largest, others, tied := 0, 0, 0
	for i := range 400 {
		s := &simulation{r: rand.New(rand.NewPCG(seed, uint64(i)))}
		root := s.open(0, server, "root", 0)
		s.end(root, s.run(root, thread{}, 3))
		if s.tied {
			tied++
			continue
		}
		largest = max(largest, len(s.spans))
		want := s.last.lines()
		require.Equal(t, want, pathOf(t, s.spans), "run %d", i)
		for j := range s.spans {
			if s.spans[j].SpanKind == consumer {
				s.spans[j].SpanKind = internal
			}
		}
		if !slices.Equal(want, pathOf(t, s.spans)) {
			others++
		}
	}
	require.Greater(t, largest, 50)
	require.Greater(t, others, 50)
	require.Less(t, tied, 40)
}
