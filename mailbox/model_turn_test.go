// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"slices"

	"github.com/waybill-go/waybill/mailbox"
)

// run has the process do what it can, until it is idle, blocked, pausing or
// has ended.
func (m *reference) run(p *refProcess) {
	for p.phase == phaseReady {
		switch {
		case p.killed:
			m.end(p)
		case len(p.hand) > 0:
			p.current, p.hand = &p.hand[0], p.hand[1:]
			m.handle(p)
		case len(p.box) > 0:
			m.takeBatch(p)
		case p.closed && p.instance > 0:
			p.last = true
			m.save(p)
		case p.closed:
			m.end(p)
		case p.rest:
			m.passivate(p)
		default:
			p.phase = phaseIdle
		}
	}
}

// takeBatch takes all that waits in hand. What may be dropped stays where it is.
func (m *reference) takeBatch(p *refProcess) {
	n := len(p.box)
	if p.Overflow == mailbox.DropOldest {
		n = 1
	}
	p.hand, p.box = p.box[:n:n], p.box[n:]
	m.letIn(p)
}

func (m *reference) handle(p *refProcess) {
	if p.current.isCall() && p.current.abandoned {
		m.stats.DeadLetters.Expired++
		m.done(p)
		return
	}
	if !p.Start || p.instance > 0 {
		m.begin(p)
		return
	}
	p.doing, p.start = p.start, handlingPlan{}
	if !m.blocks(p, phaseStarting, p.doing.gate) {
		m.started(p)
	}
}

// blocks reports whether the process has to wait at the gate.
func (m *reference) blocks(p *refProcess, at phase, g gate) bool {
	if g == gateOpen {
		return false
	}
	p.phase, p.polite = at, g == gatePolite
	gone := p.killed || at == phaseHandling && p.current.isCall() && p.current.abandoned
	if gone && p.polite {
		m.interrupt(p)
	}
	return true
}

func (m *reference) started(p *refProcess) {
	if what, panicked := p.doing.effect.fault(); what != "" {
		m.fail(p, what, panicked)
		return
	}
	p.starts++
	p.instance = p.starts
	m.begin(p)
}

func (m *reference) begin(p *refProcess) {
	p.note("%d by %d", p.current.id, p.instance)
	if !m.blocks(p, phaseHandling, p.current.gate) {
		m.perform(p)
	}
}

func (m *reference) perform(p *refProcess) {
	it := *p.current
	switch {
	case it.answer:
		p.note("answered %t", m.answer(it.refOperation, answerOf(it.id)))
	case it.isCall():
		m.left = append(m.left, leftReply{it.id, it.refOperation})
	}
	if it.effect == effectSelf {
		p.note("self %s", m.offer(p, item{memo: memo{id: it.id + 1}}))
	}
	if what, panicked := it.effect.fault(); what != "" {
		m.fail(p, what, panicked)
		return
	}
	m.stats.Handled++
	if it.isCall() && !it.over() {
		p.open = append(p.open, it.refOperation)
	}
	m.done(p)
}

// done makes room for the next message.
func (m *reference) done(p *refProcess) {
	p.current = nil
	m.letIn(p)
}

func (m *reference) fail(p *refProcess, what string, panicked bool) {
	m.stats.Failed++
	p.current.fail(what)
	policy := p.OnError
	if panicked {
		policy = p.OnPanic
		if m.stats.Panicked++; what == "exit" {
			m.stats.Panicked--
			m.stats.Exited++
		}
	}
	switch {
	case p.killed:
	case policy == mailbox.Terminate:
		m.failed(p, what)
	case policy == mailbox.Restart:
		m.restart(p, what)
	}
	m.done(p)
}

// failed has the process end by a failure.
func (m *reference) failed(p *refProcess, what string) {
	p.err, p.reason = what, &m.stats.DeadLetters.Failed
	p.closed, p.killed = true, true
	m.turnAway(p)
}

func (m *reference) restart(p *refProcess, what string) {
	p.instance = 0
	p.failures++
	if float64(p.failures) > p.Limit {
		m.failed(p, "given up, "+what)
		return
	}
	m.stats.Restarts++
	for _, e := range p.open {
		e.fail(what)
	}
	p.open = nil
	if !p.closed {
		p.phase = phasePausing
	}
}

func (m *reference) passivate(p *refProcess) {
	p.rest = false
	if p.instance == 0 || len(p.open) > 0 {
		return
	}
	m.save(p)
}

// save saves the instance before it is over.
func (m *reference) save(p *refProcess) {
	p.doing, p.save = p.save, handlingPlan{}
	if !m.blocks(p, phaseSaving, p.doing.gate) {
		m.saved(p)
	}
}

func (m *reference) saved(p *refProcess) {
	what, _ := p.doing.effect.fault()
	if what != "" {
		m.stats.SaveFailures++
	}
	switch {
	case p.last:
		p.instance = 0
	case what == "":
		m.stats.Passivated++
		p.instance = 0
	}
}

// release lets go what blocks.
func (m *reference) release(p *refProcess) {
	at := p.phase
	p.phase, p.polite = phaseReady, false
	switch at {
	case phaseStarting:
		m.started(p)
	case phaseHandling:
		m.perform(p)
	case phaseSaving:
		m.saved(p)
	}
	m.run(p)
}

// interrupt ends what blocks, with its context.
func (m *reference) interrupt(p *refProcess) {
	at := p.phase
	p.phase, p.polite = phaseReady, false
	switch at {
	case phaseStarting, phaseHandling:
		m.fail(p, "canceled", false)
	case phaseSaving:
		m.stats.SaveFailures++
		if p.last {
			p.instance = 0
		}
	}
	m.run(p)
}

// blocked reports whether there is something to release.
func (p *refProcess) blocked() bool {
	return p.phase == phaseStarting || p.phase == phaseHandling || p.phase == phaseSaving
}

// pass lets so much time go by that pauses are over, failures are forgotten and
// idle processes are passivated.
func (m *reference) pass() {
	for again := true; again; {
		again = false
		for _, p := range m.processes {
			if p.phase == phasePausing {
				again = true
				p.phase = phaseReady
				m.run(p)
			}
		}
	}
	for _, p := range m.processes {
		p.failures = 0
		for p.Passivate && p.phase == phaseIdle && p.instance > 0 && len(p.open) == 0 {
			p.rest = true
			p.phase = phaseReady
			m.run(p)
		}
	}
}

// shutdown stops the processes, the newest first, and kills those that are left
// if one does not end.
func (m *reference) shutdown() (result string) {
	for _, p := range slices.Backward(m.processes) {
		if m.close(p, false); p.phase != phaseEnded {
			return m.killAll()
		}
	}
	return "ok"
}

func (m *reference) killAll() string {
	busy, letters := 0, 0
	for _, p := range m.processes {
		if p.blocked() {
			busy++
		}
		letters += len(p.hand) + len(p.box)
		m.close(p, true)
	}
	return cutShort(busy, letters)
}

// counts returns what Stats says.
func (m *reference) counts() mailbox.Stats {
	s := m.stats
	for _, p := range m.processes {
		if p.phase != phaseEnded {
			s.Processes++
		}
		s.Waiting += uint64(len(p.waiters))
		s.Queued += uint64(len(p.hand) + len(p.box))
		if p.current != nil {
			s.Queued++
		}
	}
	return s
}
