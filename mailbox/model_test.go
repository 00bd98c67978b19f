// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/waybill-go/waybill/mailbox"
)

const (
	modelGroups    = 2
	modelProcesses = 6  // alive at a time
	modelRounds    = 16 // of as many programs as rapid is told to run, 100 by default
	modelShorter   = 5  // times fewer are those that it runs in short mode
)

// TestModel runs programs by chance step by step, and after each step compares
// all that can be seen of the system with what the reference says. It is the only
// test of much, so it runs as many in short mode.
func TestModel(t *testing.T) {
	rounds := modelRounds
	if testing.Short() {
		rounds *= modelShorter
	}
	for range rounds {
		rapid.Check(t, func(rt *rapid.T) {
			rapid.SyncTest(rt, func(rt *rapid.T) {
				r := newModelRun(rt)
				r.play(rt, func() {
					if d := r.mismatch(); d != "" {
						rt.Fatal(d)
					}
				})
			})
		})
	}
}

// modelRun is one program on its way, and the reference beside it.
type modelRun struct {
	ref        *reference
	sys        *mailbox.System
	kind       *mailbox.Kind[memo] // of those in the registry
	settings   modelSettings       // of that kind
	groups     [modelGroups]*mailbox.Group[memo]
	actors     []*actor
	operations []*modelOperation
	links      []*modelLink
	shared     shared
	ids        int

	mu   sync.Mutex
	told []string

	want, got []string               // what the steps returned
	distort   func(seen *modelState) // for the negative control
}

// modelOperation is a goroutine that sends, calls or stops, and the reference's
// idea of it.
type modelOperation struct {
	*refOperation

	cancel context.CancelFunc
	result chan string
	seen   string // empty while it waits
}

type modelLink struct {
	*refLink

	undo func() bool
}

func newModelRun(rt *rapid.T) *modelRun {
	r := &modelRun{ref: &reference{registry: make(map[string]*refProcess)}, sys: mailbox.NewSystem()}
	rt.Cleanup(r.cleanUp)
	for i := range r.groups {
		r.groups[i] = newGroup[memo](rt, r.sys, "group")
	}
	r.settings = drawSettings(rt, true)
	var err error
	r.kind, err = mailbox.NewKind[memo](r.sys, "registered", r.settings.options()...)
	require.NoError(rt, err)
	return r
}

// play runs a program, and at last shuts the system down.
func (r *modelRun) play(rt *rapid.T, check func()) {
	steps := map[string]func(*rapid.T){
		"spawn": r.spawn, "get or spawn": r.getOrSpawn, "send": r.send, "send more": r.send, "try to send": r.trySend, "call": r.call,
		"broadcast": r.broadcast, "join": r.join, "leave": r.leave, "end": r.end,
		"release": r.release, "cancel": r.cancel, "answer": r.answer, "passivated": r.passivate, "plan next": r.planNext,
		"watch": r.watch, "link": r.link, "unlink": r.unlink, "pass": r.pass,
	}
	for name, step := range steps {
		steps[name] = func(rt *rapid.T) {
			step(rt)
			r.settle()
		}
	}
	for range 2 {
		r.spawn(rt)
	}
	steps[""] = func(*rapid.T) { check() }
	rt.Repeat(steps)
	r.shutdown(rt, check)
}

// settle returns when nothing happens any more. Handlers that block keep others
// waiting for a few ticks of the scheduler's.
func (r *modelRun) settle() { r.sleep(100 * time.Millisecond) }

// sleep lets time go by and returns when nothing happens any more.
func (r *modelRun) sleep(d time.Duration) {
	r.shared.looked.Add(1)
	time.Sleep(d)
	settle()
	for _, e := range r.operations {
		select {
		case e.seen = <-e.result:
		default:
		}
	}
}

// shutdown ends the system, in peace or not, and checks what is left.
func (r *modelRun) shutdown(rt *rapid.T, check func()) {
	for _, t := range r.links {
		r.returned(r.ref.unlink(t.refLink), t.undo()) // So that nothing depends on the order of the ends.
	}
	if rapid.Bool().Draw(rt, "in peace") {
		r.releaseAll()
	}
	r.settle()
	check()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	e := r.begin(&refOperation{}, func(context.Context) string { return outcome(r.sys.Shutdown(ctx)) })
	e.finish(r.ref.shutdown())
	r.sleep(2 * time.Second)
	check()
	r.releaseAll()
	r.settle()
	check()
	r.returned("ok", outcome(r.sys.Shutdown(context.Background())))
	check()
}

// releaseAll releases what is blocked until nothing is.
func (r *modelRun) releaseAll() {
	for again := true; again; {
		again = false
		for i, p := range r.ref.processes {
			if p.blocked() {
				again = true
				r.actors[i].release()
				r.ref.release(p)
			}
		}
		r.settle()
	}
}

// cleanUp leaves nothing behind, whatever has become of the program.
func (r *modelRun) cleanUp() {
	r.shared.dismissed.Store(true)
	for _, e := range r.operations {
		e.cancel()
	}
	for _, a := range r.actors {
		a.ref.Kill()
	}
	settle()
	for _, a := range r.actors {
		if a.gate != nil {
			a.release()
		}
	}
	settle()
	_ = r.sys.Shutdown(context.Background())
}

// begin starts an operation.
func (r *modelRun) begin(ref *refOperation, run func(ctx context.Context) string) *modelOperation {
	ctx, cancel := context.WithCancel(context.Background())
	e := &modelOperation{refOperation: ref, cancel: cancel, result: make(chan string, 1)}
	r.operations = append(r.operations, e)
	go func() { e.result <- run(ctx) }()
	r.settle()
	return e
}

// returned notes what a step should have returned and what it did.
func (r *modelRun) returned(want, got any) {
	r.want = append(r.want, fmt.Sprint(want))
	r.got = append(r.got, fmt.Sprint(got))
}

// modelState is what can be seen from outside.
type modelState struct {
	Stats      mailbox.Stats
	Fullest    int        // messages in the fullest mailbox
	Logs       [][]string // of each process
	Ends       []string
	Operations []string
	Groups     []int
	Registry   map[string]int
	Told       []string
	Returned   []string
}

func (r *modelRun) wanted() (s modelState) {
	s.Stats, s.Returned, s.Registry = r.ref.counts(), r.want, make(map[string]int)
	s.Fullest = r.ref.fullest()
	for _, p := range r.ref.processes {
		end := "alive"
		if p.phase == phaseEnded {
			end = p.err
		}
		s.Logs, s.Ends = append(s.Logs, p.log), append(s.Ends, end)
	}
	for _, e := range r.operations {
		s.Operations = append(s.Operations, e.refOperation.result)
	}
	for _, members := range r.ref.groups {
		s.Groups = append(s.Groups, len(members))
	}
	for name, p := range r.ref.registry {
		s.Registry[name] = p.index
	}
	s.Told = slices.Sorted(slices.Values(r.ref.told))
	return s
}

func (r *modelRun) seen() (s modelState) {
	s.Stats, s.Returned, s.Registry = r.sys.Stats(), r.got, make(map[string]int)
	s.Fullest, _, _ = r.sys.Pressure()
	for i, a := range r.actors {
		end := "alive" // To ask would change how it works. There is a count of them.
		if r.ref.processes[i].phase == phaseEnded {
			select {
			case <-a.ref.Done():
				end = outcome(a.ref.Err())
			default:
			}
		}
		s.Logs, s.Ends = append(s.Logs, a.log), append(s.Ends, end)
	}
	for _, e := range r.operations {
		s.Operations = append(s.Operations, e.seen)
	}
	for _, g := range r.groups {
		s.Groups = append(s.Groups, g.Len())
	}
	for _, name := range modelNames {
		if ref, ok := r.kind.Lookup(name); ok {
			s.Registry[name] = r.indexOf(ref)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Told = slices.Sorted(slices.Values(r.told))
	return s
}

func (r *modelRun) indexOf(ref mailbox.Ref[memo]) int {
	return slices.IndexFunc(r.actors, func(a *actor) bool { return a.ref == ref })
}

// mismatch says in what the system differs from the reference.
func (r *modelRun) mismatch() string {
	seen := r.seen()
	if r.distort != nil {
		r.distort(&seen)
	}
	return differs(r.wanted(), seen)
}

// differs says in what two states differ, or nothing.
func differs(want, got modelState) string {
	var d difference
	if assert.Equal(&d, want, got) {
		return ""
	}
	return d.text
}

// difference keeps what an assertion says.
type difference struct{ text string }

func (d *difference) Errorf(format string, args ...any) { d.text += fmt.Sprintf(format, args...) }
