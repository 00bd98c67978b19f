// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/traces"
)

// load adds traces to a store, each with its own ID.
type load struct {
	store *traces.Store
	next  int
}

// add adds a trace of one span, and returns its ID.
func (l *load) add(s stub) int {
	l.next++
	s.trace, s.id = l.next, 1
	l.store.Add(s.span())
	return l.next
}

// usual adds usual traces, which take about a millisecond.
func (l *load) usual(n int) {
	for i := range n {
		l.add(stub{name: "POST /", took: time.Millisecond + time.Duration(i%100)*time.Microsecond})
	}
}

// kept returns for which reason a trace is kept; none if it is not.
func (l *load) kept(id int) traces.Reason {
	found, _ := l.store.Find(traces.Filter{Limit: l.next})
	for _, f := range found {
		if f.ID == traceID(id) {
			return f.Kept
		}
	}
	return ""
}

func lateSpan() []attribute.KeyValue {
	return []attribute.KeyValue{keys.LateReason.String("refused_full")}
}

// Slow, failed and late traces stay when usual ones that came with them are long forgotten.
func TestSomeTracesAreKeptLonger(t *testing.T) {
	l := load{store: traces.New(traces.Config{Bytes: 1 << 20})}
	l.usual(200)
	before := l.next
	want := map[int]traces.Reason{
		l.add(stub{name: "POST /", took: 20 * time.Millisecond}):                         traces.Slow,
		l.add(stub{name: "POST /", failed: true}):                                        traces.Failed,
		l.add(stub{name: "POST /", attributes: lateSpan()}):                              traces.Late,
		l.add(stub{name: "POST /", failed: true, attributes: lateSpan()}):                traces.Failed,
		l.add(stub{name: "POST /", took: 20 * time.Millisecond, attributes: lateSpan()}): traces.Late,
	}
	require.Equal(t, traces.Recent, l.kept(before))
	l.usual(100_000)
	assert.Empty(t, l.kept(before))
	for id, reason := range want {
		assert.Equal(t, reason, l.kept(id))
	}
	assert.Equal(t, traces.Recent, l.kept(l.next), "and the last ones are there too")
	conserved(t, l.store.Totals())
}

// Where everything fails, the slow and late traces stay, and so do the last of the others.
func TestNoReasonTakesTheRoomOfOthers(t *testing.T) {
	l := load{store: traces.New(traces.Config{Bytes: 1 << 20})}
	l.usual(200)
	slow := l.add(stub{name: "POST /", took: 20 * time.Millisecond})
	late := l.add(stub{name: "POST /", attributes: lateSpan()})
	first := l.add(stub{name: "POST /", failed: true})
	for range 50_000 {
		l.add(stub{name: "POST /", failed: true, took: time.Millisecond})
	}
	assert.Equal(t, traces.Slow, l.kept(slow))
	assert.Equal(t, traces.Late, l.kept(late))
	assert.Empty(t, l.kept(first))
	failed, _ := l.store.Find(traces.Filter{Failed: true, Limit: 100_000})
	all := l.store.Totals().Traces
	l.usual(1000)
	totals := l.store.Totals()
	found, _ := l.store.Find(traces.Filter{Limit: 100_000})
	usual := 0
	for _, f := range found {
		if f.Kept == traces.Recent {
			usual++
		}
	}
	assert.Greater(t, len(failed), all/3)
	assert.Greater(t, usual, totals.Traces/3)
	conserved(t, totals)
}

func TestSlowIsAboutTracesOfTheSameName(t *testing.T) {
	l := load{store: traces.New(traces.Config{})}
	for range 300 {
		l.add(stub{name: "fast", took: time.Millisecond})
		l.add(stub{name: "slow", took: time.Second})
	}
	assert.Equal(t, traces.Slow, l.kept(l.add(stub{name: "fast", took: 100 * time.Millisecond})))
	assert.Equal(t, traces.Recent, l.kept(l.add(stub{name: "slow", took: 1020 * time.Millisecond})))
	assert.Equal(t, traces.Recent, l.kept(l.add(stub{name: "new", took: time.Hour})), "nothing to compare with")
	assert.Equal(t, traces.Slow, l.kept(l.add(stub{name: "fast", took: 100 * time.Millisecond, parent: 9, remote: true})),
		"a root of this process is one")
	assert.Equal(t, traces.Recent, l.kept(l.add(stub{name: "fast", took: time.Hour, parent: 9})))
}

// At most one trace in 50 is slow, in the long run, whatever the durations.
func TestFewTracesAreSlow(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for name, took := range map[string]func(i int) time.Duration{
		"the same":    func(int) time.Duration { return time.Millisecond },
		"about":       func(int) time.Duration { return time.Millisecond + time.Duration(r.IntN(1000)) },
		"exponential": func(int) time.Duration { return time.Duration(r.ExpFloat64() * 1e7) },
		"two":         func(int) time.Duration { return time.Duration(1+9*r.IntN(2)) * time.Millisecond },
		"very short":  func(int) time.Duration { return time.Duration(r.IntN(10)) },
		"very long":   func(int) time.Duration { return time.Duration(r.IntN(100)) * time.Hour },
		"negative":    func(i int) time.Duration { return -time.Duration(i) },
	} {
		t.Run(name, func(t *testing.T) {
			l := load{store: traces.New(traces.Config{Bytes: 64 << 20})}
			const n = 10_000
			for i := range n {
				l.add(stub{name: "x", took: took(i)})
			}
			found, _ := l.store.Find(traces.Filter{Limit: n})
			require.Len(t, found, n)
			slow := 0
			for _, f := range found {
				if f.Kept == traces.Slow {
					slow++
				}
			}
			t.Log(slow)
			assert.LessOrEqual(t, slow, n/50*3/2) // Those that were slow when few were known are among them.
			if name == "exponential" {
				assert.GreaterOrEqual(t, slow, n/50/4)
			}
		})
	}
}

// A trace goes on after its root has ended, where messages are handled later. It is slow if
// the whole of it takes long.
func TestATraceBecomesSlow(t *testing.T) {
	l := load{store: traces.New(traces.Config{})}
	l.usual(200)
	id := l.add(stub{name: "POST /", took: time.Millisecond})
	require.Equal(t, traces.Recent, l.kept(id))
	l.store.Add(stub{trace: id, id: 2, parent: 1, name: "session", from: 30 * time.Millisecond, took: time.Millisecond}.span())
	assert.Equal(t, traces.Slow, l.kept(id))
}

// What was usual before is not for ever.
func TestSlowFollowsTheLoad(t *testing.T) {
	l := load{store: traces.New(traces.Config{})}
	l.usual(5000)
	require.Equal(t, traces.Slow, l.kept(l.add(stub{name: "POST /", took: 20 * time.Millisecond})))
	for range 1000 {
		l.add(stub{name: "POST /", took: 20 * time.Millisecond})
	}
	assert.Equal(t, traces.Recent, l.kept(l.add(stub{name: "POST /", took: 20 * time.Millisecond})))
}
