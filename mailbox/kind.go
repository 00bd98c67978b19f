// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"fmt"

	"github.com/waybill-go/waybill/internal/live"
	"github.com/waybill-go/waybill/mailbox/internal/spans"
	"github.com/waybill-go/waybill/sampling"
)

// Handler handles the messages of one process, one at a time. The context carries the
// message's trace and ends with the process. An error is recorded; whether it ends the
// process is set by the kind ([WithErrorPolicy]). A handler may block, and may keep the
// context.
type Handler[M any] func(ctx context.Context, message M) error

// Kind is what processes of the same sort share: a name, settings, and a system. The name
// is part of the names of spans, so there should be few kinds. Make one with [NewKind];
// the zero Kind cannot be used.
type Kind[M any] struct {
	settings

	sys    *System
	totals *kindTotals
	name   string
	spans  *spans.Kind
	rooms  ringPool
	cell   *live.Cell[sampling.KindConfig]

	registry registry[M]
	sweeper  sweeper[M]
}

// NewKind makes a kind called name. An error wraps [ErrConfig] and says which option makes
// no sense.
//
// A system counts its first 1,000 kinds by name, for [System.KindStats], metrics and live
// control. It counts all others together, under the name others, and tells OpenTelemetry's
// error handler. Many kinds are a mistake: a kind says what a process does, and the ID of
// the process says for whom.
func NewKind[M any](sys *System, name string, opts ...KindOption) (*Kind[M], error) {
	if sys == nil {
		return nil, fmt.Errorf("%w: kind %q in no system", ErrConfig, name)
	}
	if name == "" {
		return nil, fmt.Errorf("%w: a kind needs a name", ErrConfig)
	}
	s, err := newSettings(opts)
	if err != nil {
		return nil, fmt.Errorf("kind %q: %w", name, err)
	}
	totals := sys.totalsOf(name)
	return &Kind[M]{
		sys: sys, name: name, settings: s, totals: totals, spans: sys.spans.Kind(name, totals.late),
		cell: sys.control.Kind(name),
	}, nil
}

// Name returns the kind's name.
func (k *Kind[M]) Name() string { return k.name }

// Spawn starts a process. Its ID is for spans and logs; it need not be unique, and may be
// empty. The error wraps [ErrStopped] once the system's shutdown has begun. It wraps
// [ErrConfig] if handler is nil, or if the kind restarts its processes ([Restart]): that
// takes [Kind.SpawnInstance].
func (k *Kind[M]) Spawn(id string, handler Handler[M]) (Ref[M], error) {
	if handler == nil {
		return Ref[M]{}, fmt.Errorf("%w: kind %q spawned without a handler", ErrConfig, k.name)
	}
	if k.onError == Restart || k.onPanic == Restart {
		return Ref[M]{}, fmt.Errorf("%w: kind %q restarts, but has a handler and no Factory to do it with", ErrConfig, k.name)
	}
	return k.spawn(&process[M]{kind: k, id: id, handler: handler})
}

func (k *Kind[M]) spawn(p *process[M]) (Ref[M], error) {
	if err := k.sys.add(p); err != nil {
		return Ref[M]{}, err
	}
	return Ref[M]{p}, nil
}

// Spawn starts a process of a kind of its own. To start many processes with the same
// settings, make a [Kind] and use its Spawn.
func Spawn[M any](sys *System, kind string, handler Handler[M], opts ...KindOption) (Ref[M], error) {
	k, err := NewKind[M](sys, kind, opts...)
	if err != nil {
		return Ref[M]{}, err
	}
	return k.Spawn("", handler)
}
