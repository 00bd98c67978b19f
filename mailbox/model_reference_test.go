// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/mailbox"
)

// reference says what a system does that has settled after every step, with
// plain slices and in one goroutine.
type reference struct {
	slack     int // that mailboxes hold too much; for the negative control
	processes []*refProcess
	groups    [modelGroups][]*refProcess
	registry  map[string]*refProcess
	left      []leftReply
	told      []string
	stats     mailbox.Stats // but for what can be seen: see counts
}

// phase is what a process is doing while nothing happens.
type phase int

const (
	phaseIdle     phase = iota
	phaseReady          // not for long: it has something to do
	phaseStarting       // its Start blocks, with a message in hand
	phaseHandling       // its handler blocks
	phaseSaving         // its Save blocks
	phasePausing        // after a failure
	phaseEnded
)

type refProcess struct {
	modelSettings

	index       int
	name        string // in the registry
	phase       phase
	polite      bool // what blocks ends with the context
	closed      bool
	killed      bool
	rest        bool // to be passivated when there is nothing to do
	last        bool // it saves before its end
	watches     bool // another one, or is linked to it, or was once
	linked      bool // and so ends with it
	watched     bool // by another one, or was once
	member      bool // of a group, once
	starts      int
	instance    int          // 0 for none
	start, save handlingPlan // for the next time
	doing       handlingPlan // of the Start or Save that is going on
	current     *item
	hand, box   []item // hand was taken out of box at once
	waiters     []item
	open        []*refOperation // calls left to be answered later
	stops       []*refOperation
	links       []*refLink // to it
	failures    int
	reason      *uint64 // counts what is left at the end
	err         string
	log         []string
}

// item is a message in a mailbox, or on its way.
type item struct {
	memo
	*refOperation // nil for a message that nobody waits for
}

// refOperation is something that a goroutine does and may have to wait for: a send,
// a call or a stop.
type refOperation struct {
	to        *refProcess
	call      bool
	abandoned bool   // a call whose caller has gone
	result    string // empty while it waits
}

type leftReply struct {
	id int
	*refOperation
}

// refLink has one process learn of the end of another.
type refLink struct {
	process, other *refProcess
	link           bool // it ends as well
}

func (e *refOperation) over() bool { return e.result != "" }

func (e *refOperation) finish(result string) {
	if e != nil && !e.over() {
		e.result = result
	}
}

// fail is how a message ends that was accepted, for a caller.
func (e *refOperation) fail(result string) {
	if e != nil && e.call {
		e.finish(result)
	}
}

func (i *item) isCall() bool { return i.refOperation != nil && i.call }

func (p *refProcess) note(format string, args ...any) {
	p.log = append(p.log, fmt.Sprintf(format, args...))
}

// room reports whether one more message may wait. The one being handled does
// not count, nor the one that is next while none is.
func (m *reference) room(p *refProcess) bool { return p.waiting() < p.Capacity+m.slack }

// waiting returns how many messages count against the capacity.
func (p *refProcess) waiting() int {
	waiting := len(p.hand) + len(p.box)
	if p.current == nil && len(p.hand) > 0 {
		waiting--
	}
	return waiting
}

// fullest returns how many messages wait in the fullest mailbox.
func (m *reference) fullest() (most int) {
	for _, p := range m.processes {
		most = max(most, p.waiting())
	}
	return most
}

func (m *reference) letIn(p *refProcess) {
	for len(p.waiters) > 0 && m.room(p) {
		it := p.waiters[0]
		p.waiters = p.waiters[1:]
		m.accept(p, it)
	}
}

// accept takes the message in. If the process was idle, it is to run.
func (m *reference) accept(p *refProcess, it item) {
	m.stats.Accepted++
	if !it.isCall() {
		it.finish("ok")
	}
	p.box = append(p.box, it)
	if p.phase == phaseIdle {
		p.phase = phaseReady
	}
}

// offer sends without waiting.
func (m *reference) offer(p *refProcess, it item) (result string) {
	switch {
	case p.closed:
		m.stats.Refused.Stopped++
		return "stopped"
	case len(p.waiters) == 0 && m.room(p):
	case p.Overflow == mailbox.DropOldest:
		m.stats.DeadLetters.Dropped++
		p.box[0].fail("dropped")
		p.box = p.box[1:]
	default:
		m.stats.Refused.Full++
		return "full"
	}
	m.accept(p, it)
	return "ok"
}

// send sends, and has the sender wait for room if the process says so.
func (m *reference) send(p *refProcess, it item) {
	if !p.closed && p.Overflow == mailbox.Wait {
		p.waiters = append(p.waiters, it)
		m.letIn(p)
	} else if result := m.offer(p, it); result != "ok" {
		it.finish(result)
	}
	m.run(p)
}

// force sends even to a full mailbox.
func (m *reference) force(p *refProcess, it item) {
	if p.closed {
		m.stats.Refused.Stopped++
		return
	}
	m.accept(p, it)
	m.run(p)
}

// cancel ends the context of an operation.
func (m *reference) cancel(e *refOperation) {
	if e.over() {
		return
	}
	e.finish("canceled")
	p := e.to
	if i := slices.IndexFunc(p.waiters, func(it item) bool { return it.refOperation == e }); i >= 0 {
		p.waiters = slices.Delete(p.waiters, i, i+1)
		m.stats.Refused.Cancelled++
		return
	}
	e.abandoned = e.call
	p.forget(e)
	if p.phase == phaseHandling && p.polite && p.current.refOperation == e {
		m.interrupt(p)
	}
}

func (p *refProcess) forget(e *refOperation) {
	p.open = slices.DeleteFunc(p.open, func(o *refOperation) bool { return o == e })
}

// answer answers a call, and reports whether the caller hears it.
func (m *reference) answer(e *refOperation, result string) bool {
	switch {
	case e == nil || !e.call:
		return false
	case !e.over():
		e.finish(result)
		e.to.forget(e)
		return true
	case e.abandoned:
		m.stats.LateReplies++
	}
	return false
}

// close stops a process or kills it.
func (m *reference) close(p *refProcess, kill bool) {
	if p.phase == phaseEnded {
		return
	}
	p.closed = true
	p.killed = p.killed || kill
	m.turnAway(p)
	switch {
	case p.phase == phaseIdle || p.phase == phasePausing:
		p.phase = phaseReady
		m.run(p)
	case kill && p.polite:
		m.interrupt(p)
	}
}

func (m *reference) turnAway(p *refProcess) {
	for _, it := range p.waiters {
		m.stats.Refused.Stopped++
		it.finish("stopped")
	}
	p.waiters = nil
}

// stop is how somebody waits for the end.
func (m *reference) stop(p *refProcess, e *refOperation) {
	p.stops = append(p.stops, e)
	m.close(p, false)
	if p.phase == phaseEnded {
		e.finish("ok")
	}
}

func (m *reference) end(p *refProcess) {
	p.phase, p.current = phaseEnded, nil
	switch {
	case p.reason != nil:
	case p.killed:
		p.reason, p.err = &m.stats.DeadLetters.Killed, "killed"
	default:
		p.reason, p.err = &m.stats.DeadLetters.Killed, "ok"
	}
	for _, it := range append(p.hand, p.box...) {
		*p.reason++
		it.fail("stopped")
	}
	for _, e := range p.open {
		e.fail("stopped")
	}
	for _, e := range p.stops {
		e.finish("ok")
	}
	p.hand, p.box, p.open, p.stops = nil, nil, nil, nil
	for i := range m.groups {
		m.leave(i, p)
	}
	if m.registry[p.name] == p {
		delete(m.registry, p.name)
	}
	m.tell(p)
}

func (m *reference) leave(group int, p *refProcess) bool {
	i := slices.Index(m.groups[group], p)
	if i < 0 {
		return false
	}
	m.groups[group] = slices.Delete(m.groups[group], i, i+1)
	return true
}

// tell tells those who watch the process or are linked to it, of its end.
func (m *reference) tell(p *refProcess) {
	links := p.links
	p.links = nil
	for _, t := range links {
		m.act(t)
	}
}

// act is what the end of the other one brings with it.
func (m *reference) act(t *refLink) {
	p := t.process
	switch {
	case p.phase == phaseEnded:
	case !t.link:
		m.told = append(m.told, fmt.Sprintf("%d hears of %d: %s", p.index, t.other.index, t.other.err))
		m.force(p, item{memo: memo{id: noticeID}})
	case t.other.err == "ok":
		m.close(p, false)
	default:
		if !p.killed {
			p.reason, p.err = &m.stats.DeadLetters.Killed, "linked, "+strings.TrimPrefix(t.other.err, "linked, ")
		}
		m.close(p, true)
	}
}

func (m *reference) addLink(t *refLink) {
	t.process.watches, t.other.watched = true, true
	t.process.linked = t.process.linked || t.link
	switch {
	case t.other.phase == phaseEnded:
		m.act(t)
	case t.process.phase != phaseEnded:
		t.other.links = append(t.other.links, t)
	}
}

func (m *reference) unlink(t *refLink) bool {
	i := slices.Index(t.other.links, t)
	if i < 0 || t.process.phase == phaseEnded {
		return false
	}
	t.other.links = slices.Delete(t.other.links, i, i+1)
	return true
}
