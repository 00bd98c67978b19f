// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"

	"github.com/waybill-go/waybill/internal/guard"
)

// Watch sends the watcher a message when the other process ends. build makes that message
// from the cause. The watcher's mailbox takes it even if it is full. If the other process
// has ended already, the message is sent at once.
//
// build must not block. If it panics, the watcher is sent nothing, and OpenTelemetry's
// error handler is told. The watch ends when either process ends, or by unwatch, which
// reports whether it came before the end. Watch panics if build is nil.
func Watch[M, N any](watcher Ref[M], other Ref[N], build func(Termination) M) (unwatch func() bool) {
	if build == nil {
		panic("mailbox: Watch without a build")
	}
	p := watcher.p
	if p == nil {
		return nothingToUndo
	}
	return newLink(p, other, func(e Termination) {
		var s slot[M]
		err := attempt(p.kind.sys.base, func(context.Context) error {
			s.message = build(e)
			return nil
		})
		if err != nil {
			guard.Report(err)
			return
		}
		p.address(p.kind.sys.base, &s) // It belongs to no trace.
		p.force(&s)
	})
}

// Link ends the process when the other one ends. If the other was stopped gracefully, the
// process is stopped gracefully too. If the other was killed or failed, the process is
// killed, and its Err wraps [ErrLinked] and the other's Err. If the other process has
// ended already, this happens at once.
//
// The link ends when either process ends, or by unlink, which reports whether it came
// before the end. For two processes that end with each other, link both ways.
func Link[M, N any](process Ref[M], other Ref[N]) (unlink func() bool) {
	if process.p == nil {
		return nothingToUndo
	}
	return newLink(process.p, other, process.p.endWith)
}

func newLink[N any](p linkable, other Ref[N], act func(Termination)) (undo func() bool) {
	t := &endLink{process: p, act: act}
	if other.p == nil {
		t.tell(Termination{})
		return nothingToUndo
	}
	t.other = other.p
	if !p.addLink(t) {
		return nothingToUndo
	}
	if !other.p.addLink(t) {
		p.removeLink(t)
		t.tell(other.p.ending())
		return nothingToUndo
	}
	if p.hasLink(t) { // Still: neither has ended meanwhile.
		return t.undo
	}
	t.undo()
	return nothingToUndo
}

func nothingToUndo() bool { return false }

// addLink implements linkable.
func (p *process[M]) addLink(t *endLink) bool {
	c := p.lock()
	defer c.mu.Unlock()
	if p.state.Load()&flagEnded != 0 {
		return false
	}
	if c.links == nil {
		c.links = make(map[*endLink]struct{})
	}
	c.links[t] = struct{}{}
	return true
}

// removeLink implements linkable.
func (p *process[M]) removeLink(t *endLink) bool {
	c := p.lock()
	defer c.mu.Unlock()
	_, was := c.links[t]
	delete(c.links, t)
	return was
}

// hasLink implements linkable.
func (p *process[M]) hasLink(t *endLink) bool {
	c := p.lock()
	defer c.mu.Unlock()
	_, is := c.links[t]
	return is
}

// ending implements linkable.
func (p *process[M]) ending() Termination {
	c := p.lock()
	defer c.mu.Unlock()
	return Termination{Kind: p.kind.name, ID: p.id, Err: c.err}
}

// tell tells those who watch the process or are linked to it, which has ended.
func (p *process[M]) tell(links map[*endLink]struct{}) {
	for t := range links { // First: what others do about its end may concern it.
		if t.other != linkable(p) {
			t.other.removeLink(t)
		}
	}
	for t := range links {
		if t.other == linkable(p) {
			t.process.removeLink(t)
			t.tell(p.ending())
		}
	}
}

// endWith ends the process because the one that e tells of has ended. It leaves
// the end itself to others: links may make long chains.
func (p *process[M]) endWith(e Termination) {
	kill := e.Err != nil
	c := p.lock()
	if kill && p.state.Load()&(flagKilled|flagEnded) == 0 {
		c.fatal, c.reason = linkError(e), deadKilled
	}
	before, _ := p.closeLocked(c, kill)
	orphan := c.endPauseLocked() || before&(flagBusy|flagEnded) == 0
	c.mu.Unlock()
	if kill {
		p.cancellation.Tell(p)
	}
	if orphan {
		p.schedule()
	}
}
