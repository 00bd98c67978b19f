// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"time"
)

// A process is the context that its handler gets: the system's values, the
// process's own end (cancellation.go), and who the process is.

// owner is the process that a handler's context belongs to.
type owner interface {
	// yield lets others have the handler's worker while the handler waits.
	yield()
	// sentAt is when the message in hand was sent, by the clocks. It reports false
	// if there is none.
	sentAt() (sent int64, ok bool)
	system() *System
}

// processKey is the key under which a handler's context holds its process.
type processKey struct{}

// processOf returns whose handler ctx belongs to, or nil.
func processOf(ctx context.Context) owner {
	p, _ := ctx.Value(processKey{}).(owner)
	return p
}

// isOwner reports whether ctx is that of p's handler.
func (p *process[M]) isOwner(ctx context.Context) bool { return processOf(ctx) == owner(p) }

// String names the context's process. Without it, printing the context would
// read the process while it works.
func (p *process[M]) String() string { return "mailbox.Context(" + p.kind.name + " " + p.id + ")" }

// Deadline implements context.Context: there is none.
func (*process[M]) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Value implements context.Context.
func (p *process[M]) Value(key any) any {
	if key == (processKey{}) {
		return p
	}
	return p.kind.sys.base.Value(key)
}
