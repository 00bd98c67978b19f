// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/waybill-go/waybill/mailbox"
)

// modelNames are the names in the registry.
var modelNames = []string{"anna", "bert"}

// often draws none in most cases.
func often[T ~string](rt *rapid.T, label string, none T, others ...T) T {
	if rapid.IntRange(0, 2).Draw(rt, label+"?") == 0 {
		return rapid.SampledFrom(others).Draw(rt, label)
	}
	return none
}

func drawSettings(rt *rapid.T, start bool) modelSettings {
	last := mailbox.Terminate
	if start {
		last = mailbox.Restart
	}
	policy := rapid.IntRange(int(mailbox.Continue), int(last))
	return modelSettings{
		Start:     start,
		Own:       rapid.Bool().Draw(rt, "own goroutine"),
		Passivate: start && rapid.Bool().Draw(rt, "passivated when idle"),
		Capacity:  rapid.IntRange(1, 4).Draw(rt, "capacity"),
		Overflow:  mailbox.Overflow(rapid.IntRange(int(mailbox.Wait), int(mailbox.DropOldest)).Draw(rt, "overflow")),
		OnError:   mailbox.FailurePolicy(policy.Draw(rt, "on error")),
		OnPanic:   mailbox.FailurePolicy(policy.Draw(rt, "on panic")),
		Limit:     rapid.SampledFrom([]float64{0.5, 1, 2.5, 4.5}).Draw(rt, "limit"),
	}
}

// pick draws a process, mostly one that is alive.
func (r *modelRun) pick(rt *rapid.T, label string) (*refProcess, *actor) {
	dead := rapid.IntRange(0, 9).Draw(rt, "dead too") == 9
	i := drawSome(rt, len(r.actors), label, func(i int) bool { return dead || r.ref.processes[i].phase != phaseEnded })
	return r.ref.processes[i], r.actors[i]
}

func (r *modelRun) drawMemo(rt *rapid.T) memo {
	r.ids += 2 // The other one is for what it sends to itself.
	return memo{id: r.ids, handlingPlan: handlingPlan{
		gate:   often(rt, "gate", gateOpen, gateStubborn, gatePolite),
		effect: often(rt, "effect", effectNone, effectError, effectPanic, effectExit, effectSelf),
	}}
}

func (r *modelRun) spawn(rt *rapid.T) {
	if r.ref.counts().Processes >= modelProcesses {
		rt.Skip("there are enough")
	}
	s := drawSettings(rt, rapid.Bool().Draw(rt, "from a start"))
	a := r.newActor()
	kind, err := mailbox.NewKind[memo](r.sys, "worker", s.options()...)
	require.NoError(rt, err)
	id := fmt.Sprint(len(r.actors))
	if s.Start {
		a.ref, err = kind.SpawnInstance(id, a.makeInstance)
	} else {
		a.ref, err = kind.Spawn(id, func(ctx context.Context, m memo) error { return a.handle(ctx, 0, m) })
	}
	require.NoError(rt, err)
	r.add(a, s, "")
}

func (r *modelRun) newActor() *actor {
	return &actor{shared: &r.shared, left: make(map[int]mailbox.Reply[int])}
}

func (r *modelRun) add(a *actor, s modelSettings, name string) {
	p := &refProcess{modelSettings: s, index: len(r.actors), name: name}
	r.actors = append(r.actors, a)
	r.ref.processes = append(r.ref.processes, p)
	if name != "" {
		r.ref.registry[name] = p
	}
}

func (r *modelRun) getOrSpawn(rt *rapid.T) {
	name := rapid.SampledFrom(modelNames).Draw(rt, "name")
	a := r.newActor()
	var err error
	a.ref, err = r.kind.GetOrSpawn(name, a.makeInstance)
	require.NoError(rt, err)
	if p, ok := r.ref.registry[name]; ok {
		r.returned(p.index, r.indexOf(a.ref))
		return
	}
	r.returned(-1, r.indexOf(a.ref))
	r.add(a, r.settings, name)
}

func (r *modelRun) send(rt *rapid.T) {
	p, a := r.pick(rt, "process")
	for range rapid.IntRange(1, 4).Draw(rt, "messages") {
		m := r.drawMemo(rt)
		e := r.begin(&refOperation{to: p}, func(ctx context.Context) string { return outcome(a.ref.Send(ctx, m)) })
		r.ref.send(p, item{m, e.refOperation})
	}
}

func (r *modelRun) trySend(rt *rapid.T) {
	p, a := r.pick(rt, "process")
	m := r.drawMemo(rt)
	got := outcome(a.ref.TrySend(context.Background(), m))
	r.returned(r.ref.offer(p, item{memo: m}), got)
	r.ref.run(p)
}

func (r *modelRun) call(rt *rapid.T) {
	p, a := r.pick(rt, "process")
	m := r.drawMemo(rt)
	m.answer = rapid.Bool().Draw(rt, "answers")
	e := r.begin(&refOperation{to: p, call: true}, func(ctx context.Context) string {
		answer, err := mailbox.Call(ctx, a.ref, func(r mailbox.Reply[int]) memo {
			m := m
			m.reply = r
			return m
		})
		if err != nil {
			return outcome(err)
		}
		return answerOf(answer)
	})
	r.ref.send(p, item{m, e.refOperation})
}

func (r *modelRun) broadcast(rt *rapid.T) {
	i := rapid.IntRange(0, modelGroups-1).Draw(rt, "group")
	m := r.drawMemo(rt)
	refused := make(map[int]string)
	got := r.groups[i].BroadcastFunc(context.Background(), m, func(member mailbox.Ref[memo], err error) {
		refused[r.indexOf(member)] = outcome(err)
	})
	want := mailbox.Delivery{Size: len(r.ref.groups[i])}
	wantRefused := make(map[int]string)
	members := append([]*refProcess{}, r.ref.groups[i]...)
	for _, p := range members {
		switch result := r.ref.offer(p, item{memo: m}); result {
		case "ok":
			want.Delivered++
		case "full":
			want.Full++
			wantRefused[p.index] = result
		default:
			want.Stopped++
			wantRefused[p.index] = result
		}
	}
	want.Refused = want.Full + want.Stopped
	r.returned(want, got)
	r.returned(wantRefused, refused)
	for _, p := range members {
		r.ref.run(p)
	}
}

func (r *modelRun) join(rt *rapid.T) {
	p, a := r.pick(rt, "process")
	if p.watches {
		rt.Skip("it depends on others")
	}
	i := rapid.IntRange(0, modelGroups-1).Draw(rt, "group")
	want := "ok"
	if p.phase == phaseEnded {
		want = "stopped"
	} else {
		r.ref.leave(i, p)
		r.ref.groups[i] = append(r.ref.groups[i], p)
		p.member = true
	}
	r.returned(want, outcome(r.groups[i].Join(a.ref)))
}

func (r *modelRun) leave(rt *rapid.T) {
	p, a := r.pick(rt, "process")
	i := rapid.IntRange(0, modelGroups-1).Draw(rt, "group")
	r.returned(r.ref.leave(i, p), r.groups[i].Leave(a.ref))
}

// end stops a process, or kills it.
func (r *modelRun) end(rt *rapid.T) {
	p, a := r.pick(rt, "process")
	if rapid.Bool().Draw(rt, "kill") {
		a.ref.Kill()
		r.ref.close(p, true)
		return
	}
	e := r.begin(&refOperation{to: p}, func(ctx context.Context) string { return outcome(a.ref.Stop(ctx)) })
	r.ref.stop(p, e.refOperation)
}

// drawSome draws one of the indices for which ok says so.
func drawSome(rt *rapid.T, n int, label string, ok func(i int) bool) int {
	var some []int
	for i := range n {
		if ok(i) {
			some = append(some, i)
		}
	}
	if len(some) == 0 {
		rt.Skip("there is none")
	}
	return rapid.SampledFrom(some).Draw(rt, label)
}

func (r *modelRun) release(rt *rapid.T) {
	i := drawSome(rt, len(r.actors), "process", func(i int) bool { return r.ref.processes[i].blocked() })
	r.actors[i].release()
	r.ref.release(r.ref.processes[i])
}

func (r *modelRun) cancel(rt *rapid.T) {
	i := drawSome(rt, len(r.operations), "operation", func(i int) bool { return !r.operations[i].over() })
	r.operations[i].cancel()
	r.ref.cancel(r.operations[i].refOperation)
}

func (r *modelRun) answer(rt *rapid.T) {
	i := drawSome(rt, len(r.ref.left), "reply", func(int) bool { return true })
	l := r.ref.left[i]
	reply := r.actors[l.to.index].left[l.id]
	if rapid.Bool().Draw(rt, "fails") {
		r.returned(r.ref.answer(l.refOperation, "spilt"), reply.Fail(errSpilt))
	} else {
		r.returned(r.ref.answer(l.refOperation, answerOf(l.id)), reply.Answer(l.id))
	}
}

func (r *modelRun) passivate(rt *rapid.T) {
	p, a := r.pick(rt, "process")
	can := p.Start && !p.closed
	result := a.ref.Passivate()
	if !can {
		r.returned(1, len(result))
	}
	if can {
		p.rest = true
		if p.phase == phaseIdle {
			p.phase = phaseReady
		}
		r.ref.run(p)
	}
}

// planNext has the next Factory or Save fail or block.
func (r *modelRun) planNext(rt *rapid.T) {
	i := drawSome(rt, len(r.actors), "process", func(i int) bool { return r.ref.processes[i].Start })
	p, a := r.ref.processes[i], r.actors[i]
	next := handlingPlan{
		gate:   often(rt, "gate", gateOpen, gateStubborn, gatePolite),
		effect: rapid.SampledFrom([]effect{effectNone, effectError, effectPanic, effectExit, effectEmpty}).Draw(rt, "effect"),
	}
	if rapid.Bool().Draw(rt, "start") && !p.watches {
		p.start, a.start = next, next
	} else if next.effect != effectEmpty {
		p.save, a.save = next, next
	}
}

// drawLink draws two processes. Who depends on another's end is in no group and
// starts well. Either it hears of ends, and nothing depends on its own, or it has
// one link. So it does not matter in which order processes end at the same time.
func (r *modelRun) drawLink(rt *rapid.T, link bool) (i, j int) {
	i = drawSome(rt, len(r.actors), "process", func(i int) bool {
		p := r.ref.processes[i]
		if p.member || p.start != (handlingPlan{}) {
			return false
		}
		return link && !p.watches || !link && !p.linked && !p.watched
	})
	j = drawSome(rt, len(r.actors), "other", func(j int) bool { return j != i && (r.ref.processes[j].linked || !r.ref.processes[j].watches) })
	return i, j
}

func (r *modelRun) watch(rt *rapid.T) {
	i, j := r.drawLink(rt, false)
	undo := mailbox.Watch(r.actors[i].ref, r.actors[j].ref, func(e mailbox.Termination) memo {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.told = append(r.told, fmt.Sprintf("%d hears of %d: %s", i, j, outcome(e.Err)))
		return memo{id: noticeID}
	})
	r.addLink(&refLink{process: r.ref.processes[i], other: r.ref.processes[j]}, undo)
}

func (r *modelRun) link(rt *rapid.T) {
	i, j := r.drawLink(rt, true)
	undo := mailbox.Link(r.actors[i].ref, r.actors[j].ref)
	r.addLink(&refLink{process: r.ref.processes[i], other: r.ref.processes[j], link: true}, undo)
}

func (r *modelRun) addLink(t *refLink, undo func() bool) {
	r.links = append(r.links, &modelLink{t, undo})
	r.ref.addLink(t)
}

func (r *modelRun) unlink(rt *rapid.T) {
	i := drawSome(rt, len(r.links), "link", func(int) bool { return true })
	t := r.links[i]
	r.returned(r.ref.unlink(t.refLink), t.undo())
}

// pass lets much time go by.
func (r *modelRun) pass(rt *rapid.T) {
	n, watches := 0, false
	for _, p := range r.ref.processes {
		if p.phase == phasePausing {
			n++
			watches = watches || p.watches
		}
	}
	if n > 1 && watches {
		rt.Skip("chance would say which goes on first")
	}
	r.sleep(modelPass)
	r.ref.pass()
}
