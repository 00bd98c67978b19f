// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"context"
	"fmt"
	"reflect"
	"sync"

	"github.com/waybill-go/waybill/internal/delivered"
	"github.com/waybill-go/waybill/internal/durations"
	"github.com/waybill-go/waybill/internal/handling"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/live"
	"github.com/waybill-go/waybill/mailbox/internal/minutes"
	"github.com/waybill-go/waybill/mailbox/internal/spans"
	"github.com/waybill-go/waybill/sampling"
)

// Handler handles the messages of one process, one at a time. The context carries the
// message's trace and ends with the process. An error is recorded; whether it ends the
// process is set by the kind ([WithErrorPolicy]). A handler may block, and may keep the
// context.
type Handler[M any] func(ctx context.Context, message M) error

// Factory makes an instance of a process. It makes a fresh state or loads a saved one, and
// returns what handles messages with it.
//
// A process that was spawned with a Factory calls it when a message comes and there is no
// instance: for the first message, for the first one after a failure ([Restart]), and for
// the first one after the process was passivated. self is the process. The context carries
// the message's trace and ends with the process; it does not end with a call. Factory may
// block.
//
// If Factory fails, the message fails too, and the process does what it would do if its
// handler had failed. A Factory that fails after it has opened something returns the Close
// for that beside its error.
type Factory[M any] func(ctx context.Context, self Ref[M]) (Instance[M], error)

// Instance handles a process's messages. It lasts until it fails, is passivated, or ends
// with the process. A [Factory] makes it.
type Instance[M any] struct {
	// Handle handles one message after the other. It must not be nil.
	Handle Handler[M]
	// Save saves the state. It is called before the process is passivated, and before it
	// ends because it was stopped or its system was shut down. It is not called before a
	// kill or after a failure. Nil means that there is no state to save.
	//
	// Save may block; a kill ends its context. It must not wait for the end of its own
	// process, because the process waits for Save.
	//
	// If Save fails before a passivation, the instance goes on and is saved another time.
	// If it fails before the end of the process, the state is lost.
	Save func(ctx context.Context) error
	// Close gives back what the Factory has opened. It is called when the instance is over,
	// whatever ended it. Nil means that there is nothing to give back. Close may block, and
	// the process does not end before it returns. Its context never ends.
	//
	// Failures of Save and Close, panics included, are counted ([Stats]) and reported
	// ([SaveFailed], [CloseFailed]).
	Close func(ctx context.Context) error
}

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
	site   *handling.Site // Nil without debug mode.
	timed  *timing        // Nil without timings and metrics.

	delivered bool // Messages are told what becomes of them; see package delivered.

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
	k := &Kind[M]{
		sys: sys, name: name, settings: s, totals: totals, spans: sys.spans.Kind(name, totals.made),
		cell: sys.control.Kind(name), delivered: delivered.Is[M](),
	}
	if sys.debug {
		k.site = handling.NewSite(context.Background(), fmt.Sprintf("kind %q", name))
	}
	k.timed = sys.timingOf(name, totals, k.spans.TypeName)
	return k, nil
}

// timing is where the times of a kind's handlings go.
type timing struct {
	minutes   *minutes.Kind    // nil without timings
	durations *durations.Place // nil without metrics
}

// timingOf returns where the times of the handlings of a kind go. It is nil if nobody wants
// to know them.
func (s *System) timingOf(name string, totals *kindTotals, nameOf func(reflect.Type) string) *timing {
	var t timing
	if s.timings != nil {
		t.minutes = s.timings.Kind(name, nameOf)
	}
	if s.durations != nil {
		s.mu.Lock()
		if totals.durations == nil {
			totals.durations = s.durations.Place(keys.ProcessKind.String(totals.name), nameOf)
		}
		t.durations = totals.durations
		s.mu.Unlock()
	}
	if t == (timing{}) {
		return nil
	}
	return &t
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

// SpawnInstance starts a process whose state factory makes. Otherwise it is like
// [Kind.Spawn]. factory is not called before the first message comes.
func (k *Kind[M]) SpawnInstance(id string, factory Factory[M]) (Ref[M], error) {
	if factory == nil {
		return Ref[M]{}, fmt.Errorf("%w: kind %q spawned without a Factory", ErrConfig, k.name)
	}
	return k.spawn(&process[M]{kind: k, id: id, factory: factory})
}

func (k *Kind[M]) spawn(p *process[M]) (Ref[M], error) {
	if err := k.sys.add(p); err != nil {
		return Ref[M]{}, fmt.Errorf("%w: the system of kind %q", err, k.name)
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

// registry finds the processes of a kind by their IDs.
type registry[M any] struct {
	mu   sync.RWMutex
	byID map[string]*process[M]
}

// sweeper looks for idle processes of a kind.
type sweeper[M any] struct {
	mu    sync.Mutex
	awake []*process[M] // those that have an instance, and some that had
	armed bool
}
