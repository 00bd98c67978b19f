// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/header"
)

// Ref refers to a process that takes messages of type M. It is a value: it can be copied,
// compared and used as a map key. The zero Ref refers to a process that has ended.
type Ref[M any] struct{ p *process[M] }

// ID returns the ID that the process was spawned with.
func (r Ref[M]) ID() string {
	if r.p == nil {
		return ""
	}
	return r.p.id
}

// Kind returns the name of the process's kind.
func (r Ref[M]) Kind() string {
	if r.p == nil {
		return ""
	}
	return r.p.kind.name
}

// Send sends message to the process. It returns nil once the mailbox has taken the
// message. Otherwise it returns an error that wraps [ErrFull], [ErrStopped] or ctx.Err(),
// and names the process. It blocks only while the mailbox is full and the kind's overflow
// is [Wait].
func (r Ref[M]) Send(ctx context.Context, message M) error {
	if r.p == nil {
		return errZeroRef
	}
	ctx = header.OrBackground(ctx)
	s := slot[M]{message: message}
	r.p.address(ctx, &s)
	return r.p.named(r.p.send(ctx, &s))
}

// TrySend is Send for a sender that must not wait. Where Send would wait, the error of
// TrySend wraps [ErrFull].
func (r Ref[M]) TrySend(ctx context.Context, message M) error {
	if r.p == nil {
		return errZeroRef
	}
	s := slot[M]{message: message}
	r.p.address(ctx, &s)
	claimed, err := r.p.offer(&s)
	if claimed {
		r.p.schedule()
	}
	return r.p.named(err)
}

// address has s carry what a message does that is sent now from ctx.
func (p *process[M]) address(ctx context.Context, s *slot[M]) {
	k := p.kind
	s.header = k.sys.carry.Header(ctx)
	if k.cell.Load().Untraced {
		s.header = s.header.WithSpanContext(trace.SpanContext{})
	}
	s.sent = k.sys.stamp(s.header)
	if k.roots {
		s.header = s.header.DecidedBy(ctx)
	}
}

// Stop stops the process gracefully. From now on the process refuses messages, and it ends
// when it has handled those it has accepted. Stop blocks until then, or until ctx ends,
// and returns nil or ctx.Err(). The process ends in either case. From the process's own
// handler Stop returns at once.
func (r Ref[M]) Stop(ctx context.Context) error {
	if r.p == nil {
		return nil
	}
	r.p.close(false)
	if r.p.isOwner(ctx) {
		return nil
	}
	ctx = header.OrBackground(ctx)
	select {
	case <-r.p.doneChannel():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill ends the process at once. Its handler's context is cancelled. What waits in its
// mailbox becomes dead letters when the handler returns. Kill does not block; Done tells
// when the process has ended.
func (r Ref[M]) Kill() {
	if r.p != nil {
		r.p.close(true)
	}
}

// Done returns a channel that is closed when the process has ended.
func (r Ref[M]) Done() <-chan struct{} {
	if r.p == nil {
		return closedChannel
	}
	return r.p.doneChannel()
}

// Err returns what ended the process: the handler's error, a [*PanicError] or [ErrGoexit];
// [ErrTooManyRestarts] together with one of those; [ErrKilled], also if the handler failed
// after the kill; or [ErrLinked] together with the cause. It returns nil while the process
// lives, and after the process was stopped gracefully.
func (r Ref[M]) Err() error {
	if r.p == nil {
		return nil
	}
	c := r.p.lock()
	defer c.mu.Unlock()
	return c.err
}

var closedChannel = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()
