// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/internal/routing"
	"github.com/waybill-go/waybill/mailbox/remote/internal/subject"
	"github.com/waybill-go/waybill/mailbox/remote/placement/internal/ownership"
)

// maxHeld is how many messages wait for a process that is being handed over. While they are sent,
// as many others may come.
const maxHeld = 4096

// placed is a process that this node owns.
type placed[M any] struct {
	kind    *Kind[M]
	session *ownership.Session
	ref     mailbox.Ref[M]
	of      identity

	static *placedContext // of the process's own context; the worker's

	mu     sync.Mutex
	busy   int           // messages that are between the subscription and the mailbox, and calls
	idle   chan struct{} // closed when there are none any more; nil unless somebody waits
	moving bool
	to     string      // where the process is now; empty until that is known
	held   []*nats.Msg // what came meanwhile
}

// check returns nil if the process may handle a message now. If it may not, it ends.
func (p *placed[M]) check() error {
	if p.session.Held(p.kind.config.now()) {
		return nil
	}
	atomic.AddUint64(&p.kind.counts.Declined, 1)
	p.kind.member.Fence(p.session)
	p.ref.Kill() // It may have been placed after the others were killed.
	return &routing.NotHandledError{By: p}
}

// within returns ctx with the identity of the process. It allocates nothing for a message
// without a trace, whose context is that of the process.
func (p *placed[M]) within(ctx context.Context) context.Context {
	if p.static != nil && p.static.Context == ctx {
		return p.static
	}
	return &placedContext{ctx, &p.of}
}

// factory returns the Factory of the process.
func (p *placed[M]) factory(ctx context.Context, self mailbox.Ref[M]) (mailbox.Instance[M], error) {
	if err := p.check(); err != nil {
		return mailbox.Instance[M]{}, err
	}
	instance, err := p.kind.config.Factory(p.within(ctx), self)
	return p.wrap(instance), err
}

// wrap returns the instance as the process has it: it looks at the lease before each message.
func (p *placed[M]) wrap(instance mailbox.Instance[M]) mailbox.Instance[M] {
	handle, save, closed := instance.Handle, instance.Save, instance.Close
	if handle != nil {
		instance.Handle = func(ctx context.Context, message M) error {
			if err := p.check(); err != nil {
				return err
			}
			if p.static == nil && isStatic(ctx) {
				p.static = &placedContext{ctx, &p.of}
			}
			return handle(p.within(ctx), message)
		}
	}
	if save != nil {
		instance.Save = func(ctx context.Context) error {
			if err := p.check(); err != nil {
				return err
			}
			return save(p.within(ctx))
		}
	}
	if closed != nil {
		instance.Close = func(ctx context.Context) error { return closed(p.within(ctx)) }
	}
	return instance
}

// isStatic reports whether ctx is the context of a process itself: it names its process.
func isStatic(ctx context.Context) bool {
	_, ok := ctx.(interface{ Named() (kind, id string) })
	return ok
}

// take says what becomes of a message that has come for the process. It is called for one message
// after the other.
func (p *placed[M]) take(m *nats.Msg) routing.Verdict {
	verdict, on := p.place(m)
	if on != "" {
		p.kind.forward(m, on)
	}
	return verdict
}

// place is take, and returns where to hand the message on, which may block: a link may hang.
func (p *placed[M]) place(m *nats.Msg) (verdict routing.Verdict, on string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.moving:
		if !p.kind.runs(p) {
			return routing.Elsewhere, ""
		}
		p.busy++
		return routing.Here, ""
	case p.to != "":
		return routing.Taken, p.to
	case len(p.held) < maxHeld:
		p.held = append(p.held, m)
		return routing.Taken, ""
	default:
		return routing.Elsewhere, ""
	}
}

func (p *placed[M]) isMoving() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.moving
}

// Done implements routing.Process.
func (p *placed[M]) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	if p.busy == 0 && p.idle != nil {
		close(p.idle)
		p.idle = nil
	}
}

// hold has what comes for the process wait from now on, and returns when what came before is in
// the mailbox, and calls are answered, or when ctx ends.
func (p *placed[M]) hold(ctx context.Context) {
	p.mu.Lock()
	p.moving = true
	var idle chan struct{}
	if p.busy > 0 {
		idle = make(chan struct{})
		p.idle = idle
	}
	p.mu.Unlock()
	if idle == nil {
		return
	}
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// movedTo hands on what has waited, and what comes from now on. Without a subject there is no
// other node: what has waited is refused. Sending may block, so p.mu is not held then, and what
// comes meanwhile waits behind the rest.
func (p *placed[M]) movedTo(on string) {
	for {
		held := p.takeHeld(on)
		if len(held) == 0 {
			return
		}
		for _, m := range held {
			if on != "" {
				p.kind.forward(m, on)
				continue
			}
			p.kind.refuse(m)
		}
	}
}

// takeHeld returns what has waited. When that is nothing, it has what comes from now on handed on.
func (p *placed[M]) takeHeld(on string) []*nats.Msg {
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.held
	p.held = nil
	if len(held) == 0 {
		p.to = on
		p.moving = on != "" // Without a subject the process has ended: what comes is refused.
	}
	return held
}

// names returns the ID of the process, and its token in subjects.
func (p *placed[M]) names() (id, token string) {
	token, _ = subject.Token(p.of.id) // It has one: it was placed.
	return p.of.id, token
}
