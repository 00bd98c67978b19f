// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"cmp"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/mailbox/internal/spans"
	"github.com/waybill-go/waybill/sampling"
)

// Overflow is what a full mailbox does with one more message.
type Overflow int

const (
	// Wait makes the sender wait until there is room or its context ends. A
	// sender that is itself a handler waits for a bounded time ([WithHandlerSendTimeout]),
	// and not at all for its own process: it is known by its context, so it must
	// pass that on. A broadcast never waits: it is refused.
	Wait Overflow = iota
	// Refuse refuses the message with [ErrFull].
	Refuse
	// DropOldest takes the message in, and the longest waiting one becomes a
	// dead letter.
	DropOldest
)

// FailurePolicy is what becomes of a process whose handler failed.
type FailurePolicy int

const (
	// Continue goes on with the next message.
	Continue FailurePolicy = iota
	// Terminate ends the process; what was waiting becomes dead letters.
	Terminate
	// Restart drops the process's state and goes on with a fresh one, after a
	// while ([WithRestartPolicy]); if it has failed too often, it ends with
	// [ErrTooManyRestarts]. Calls that it left to be answered later fail, and timers that
	// it had set for itself stop; what waits in the mailbox stays there. It is for
	// processes that were spawned with a [Factory].
	Restart
)

// SystemOption configures [NewSystem].
type SystemOption interface{ applySystem(*System) }

type systemOption func(*System)

func (o systemOption) applySystem(s *System) { o(s) }

// WithTracerProvider sets where the system's spans are made. The default is
// the global provider at the time of [NewSystem].
func WithTracerProvider(provider trace.TracerProvider) SystemOption {
	return systemOption(func(s *System) { s.provider = provider })
}

// WithMeterProvider has the system's figures reported as metrics, as
// [System.RegisterMetrics] does, for as long as the provider lives: it keeps the
// system. Every measurement has attrs: systems that share a provider need attributes
// that tell them apart. Without this option nothing is reported. An error goes to
// OpenTelemetry's error handler.
func WithMeterProvider(provider metric.MeterProvider, attrs ...attribute.KeyValue) SystemOption {
	return systemOption(func(s *System) { s.meters = meters{provider, attrs} })
}

// WithCarry sets what messages to this system's processes and groups take
// along from their senders' contexts.
func WithCarry(carry envelope.CarryPolicy) SystemOption {
	return systemOption(func(s *System) { s.carry = header.CarryPolicy(carry) })
}

// WithHandlerSendTimeout bounds how long a handler that sends to another process waits
// for room there, 1 s by default; then the message is refused with [ErrFull].
// Without a bound, two processes that answer each other through full mailboxes
// would wait for ever, so there is always one: zero or less means the default.
func WithHandlerSendTimeout(d time.Duration) SystemOption {
	return systemOption(func(s *System) { s.handlerWait = d })
}

// WithControl has the system's kinds and groups follow control, by their names,
// while the program runs: see [sampling.Control]. Without it they have the
// settings of [sampling.DefaultConfig].
func WithControl(control *sampling.Control) SystemOption {
	return systemOption(func(s *System) { s.control = control })
}

// WithChainLimit bounds the traces that processes make by sending on and on: a
// message that is more than hops handings-over away from the one that brought the
// trace into a mailbox, or was sent more than age after that, is handled in a new
// trace, with a link to the old one. Zero means the default, 256 and 30 minutes; a
// negative value means no limit. The new trace's ID keeps the last 8 bytes of the old one's:
// samplers that decide by those decide the same, and that of package sampler goes
// on in any case. One that samples no roots ends the chain.
func WithChainLimit(hops int, age time.Duration) SystemOption {
	return systemOption(func(s *System) { s.chain = spans.ChainLimit{Hops: hops, Age: age} })
}

// KindOption configures [NewKind] and [Spawn].
type KindOption interface{ applyKind(*settings) }

type kindOption func(*settings)

func (o kindOption) applyKind(s *settings) { o(s) }

// settings are what all processes of a kind share.
type settings struct {
	capacity int
	overflow Overflow
	onError  FailurePolicy
	onPanic  FailurePolicy
	restarts RestartPolicy
	idle     time.Duration // after which a process is passivated
	roots    bool
	own      bool
}

func newSettings(opts []KindOption) (settings, error) {
	s := settings{onPanic: Terminate}
	for _, o := range opts {
		o.applyKind(&s)
	}
	s.capacity = cmp.Or(s.capacity, 1024)
	switch {
	case s.capacity < 0:
		return s, fmt.Errorf("%w: capacity %d", ErrConfig, s.capacity)
	case s.idle < 0:
		return s, fmt.Errorf("%w: passivation after %v", ErrConfig, s.idle)
	case s.overflow < Wait || s.overflow > DropOldest:
		return s, fmt.Errorf("%w: unknown overflow %d", ErrConfig, s.overflow)
	case s.onError < Continue || s.onError > Restart, s.onPanic < Continue || s.onPanic > Restart:
		return s, fmt.Errorf("%w: unknown failure policy", ErrConfig)
	}
	var err error
	s.restarts, err = s.restarts.withDefaults()
	return s, err
}

// WithCapacity sets how many messages a mailbox holds, beside the one being
// handled. Zero means the default, 1,024. Memory for them is taken as it is needed.
func WithCapacity(messages int) KindOption {
	return kindOption(func(s *settings) { s.capacity = messages })
}

// WithOverflow sets what a full mailbox does, [Wait] by default.
func WithOverflow(overflow Overflow) KindOption {
	return kindOption(func(s *settings) { s.overflow = overflow })
}

// WithErrorPolicy sets what an error returned by the handler does to its
// process, [Continue] by default.
func WithErrorPolicy(policy FailurePolicy) KindOption {
	return kindOption(func(s *settings) { s.onError = policy })
}

// WithPanicPolicy sets what a panic of the handler, or a call of
// runtime.Goexit, does to its process. The default is [Terminate]: its state may be
// half changed.
func WithPanicPolicy(policy FailurePolicy) KindOption {
	return kindOption(func(s *settings) { s.onPanic = policy })
}

// WithRestartPolicy sets how often and when processes are restarted, where a policy
// says [Restart].
func WithRestartPolicy(restarts RestartPolicy) KindOption {
	return kindOption(func(s *settings) { s.restarts = restarts })
}

// WithPassivation has processes passivated, as [Ref.Passivate] does, when their last
// message was sent longer ago than that and they are idle: at the latest half as
// long again after that. Zero means the default: never. It concerns those that were spawned with a [Factory].
func WithPassivation(idle time.Duration) KindOption {
	return kindOption(func(s *settings) { s.idle = idle })
}

// WithRootSpans makes a message without a trace start one, if the sampler agrees.
// It is for the entry points of a service, whose senders are not traced. It
// starts none where somebody decided against one: for a sender whose trace is
// not sampled, for the recipients that a fan-out skipped, and for a message
// from a handler that has no trace itself.
func WithRootSpans() KindOption {
	return kindOption(func(s *settings) { s.roots = true })
}

// WithDedicatedGoroutine gives every busy process of the kind a goroutine of its own,
// instead of a worker of the system's. It is for handlers that block most of the
// time: others then need not wait until that is noticed, about a millisecond.
func WithDedicatedGoroutine() KindOption {
	return kindOption(func(s *settings) { s.own = true })
}

// GroupOption configures [NewGroup].
type GroupOption interface{ applyGroup(*groupSettings) }

type groupOption func(*groupSettings)

func (o groupOption) applyGroup(s *groupSettings) { o(s) }

// WithLinkedRoots has every recipient of a traced broadcast that the choice falls
// on begin a trace of its own, linked to the broadcast's, instead of going on in
// that: for fan-outs whose traces would be too large to look at. With the sampler
// of package sampler they are all sampled; others sample them as any root whose
// ID has the same last 8 bytes.
func WithLinkedRoots() GroupOption {
	return groupOption(func(s *groupSettings) { s.linked = true })
}

type groupSettings struct {
	linked   bool
	sampling *sampling.GroupConfig // nil: the control's
}

// WithSampling sets how many recipients of a traced broadcast keep the trace,
// whatever the system's control says. [NewGroup] refuses a config that a
// [sampling.Control] would refuse, such as one with a cap below its rate.
func WithSampling(config sampling.GroupConfig) GroupOption {
	return groupOption(func(s *groupSettings) { s.sampling = &config })
}
