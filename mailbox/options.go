// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/mailbox/internal/minutes"
	"github.com/waybill-go/waybill/mailbox/internal/spans"
	"github.com/waybill-go/waybill/mailbox/timings"
	"github.com/waybill-go/waybill/sampling"
)

// Overflow is what a full mailbox does with one more message.
type Overflow int

const (
	// Wait makes the sender wait until there is room or its context ends. A handler that
	// sends waits for a limited time ([WithHandlerSendTimeout]), and never for its own
	// process. A broadcast never waits: it is refused.
	Wait Overflow = iota
	// Refuse refuses the message with [ErrFull].
	Refuse
	// DropOldest takes the message in. The message that has waited longest becomes a
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
	// Restart drops the process's state and goes on with a fresh one after a back-off
	// ([WithRestartPolicy]). What waits in the mailbox stays there. Calls that the process
	// left to be answered later fail, and timers that it set for itself stop. A process
	// that fails too often ends with [ErrTooManyRestarts]. It is for processes that were
	// spawned with a [Factory].
	Restart
)

// WithTracerProvider sets where the system's spans are made. By default, and if provider is
// nil, each span is made by the provider that is the global one when it starts.
func WithTracerProvider(provider trace.TracerProvider) SystemOption {
	return systemOption(func(s *System) { s.provider = provider })
}

// WithMeterProvider reports the system's counts as metrics, as [System.RegisterMetrics]
// does, for as long as the provider lives. The provider keeps the system in memory. Every
// measurement has attrs; systems that share a provider need attributes that tell them
// apart. An error goes to OpenTelemetry's error handler. Without this option nothing is
// reported.
//
// It also records how long messages waited and how long they were handled, by the kind of
// the processes and the type of the message, in two histograms:
// waybill.mailbox.queue.duration and waybill.mailbox.handling.duration, in seconds. They
// have the handlings that are timed ([sampling.KindConfig], TimeOneIn), so they need a
// control too ([WithControl]). Each of those costs some 600 ns more; others cost nothing. A
// traced one may become an exemplar that leads to its span.
func WithMeterProvider(provider metric.MeterProvider, attrs ...attribute.KeyValue) SystemOption {
	return systemOption(func(s *System) { s.meters = meters{provider, slices.Clone(attrs)} })
}

// WithCarry sets what messages to the system's processes and groups take from their
// senders' contexts. It holds for what goes to other machines too (package
// [github.com/waybill-go/waybill/mailbox/remote]).
func WithCarry(carry envelope.CarryPolicy) SystemOption {
	return systemOption(func(s *System) { s.carry = header.CarryPolicy(carry) })
}

// WithHandlerSendTimeout sets how long a handler that sends to another process waits for
// room there. After that the message is refused with [ErrFull]. Zero or less means the
// default, 1 s. There is always a limit: two processes that answer each other through full
// mailboxes would otherwise wait for ever.
func WithHandlerSendTimeout(d time.Duration) SystemOption {
	return systemOption(func(s *System) { s.handlerWait = d })
}

// WithControl has the system's kinds and groups follow control, by their names, while the
// program runs: see [sampling.Control]. It also lets messages that were not sampled leave
// late spans. Without it, or with nil, kinds and groups have the settings of the zero
// [sampling.Config], and those do not change. A control costs a little even if it
// holds nothing else: its settings may ask for late spans at any time, so recipients that
// a broadcast skips know its trace, and the clock is kept more exact.
func WithControl(control *sampling.Control) SystemOption {
	return systemOption(func(s *System) { s.control = (*liveControl)(control) })
}

// WithTimings has store keep where the time of the system's processes goes, minute by
// minute: package timings says what it keeps and what that costs. What is timed is said by
// [sampling.KindConfig], so the system needs a control too ([WithControl]): without one,
// nothing is timed. Several systems may share a store; processes of the same kind and ID are
// then one process in it. By default, and with nil, there are no timings.
func WithTimings(store *timings.Store) SystemOption {
	return systemOption(func(s *System) { s.timings = (*minutes.Store)(store) })
}

// WithChainLimit limits the length of traces that processes make by sending on and on. A
// message is handled in a new trace, with a link to the old one, if it is more than hops
// sends away from the message that brought the trace into a mailbox, or was sent more than
// age after that message. Zero means the default, 256 and 30 minutes. A negative value
// means no limit.
//
// The new trace's ID keeps the last 8 bytes of the old one's, so samplers that decide by
// those bytes decide the same again. The sampler of package sampler goes on in any case.
// If the sampler does not sample the new root, the chain of traces ends.
func WithChainLimit(hops int, age time.Duration) SystemOption {
	return systemOption(func(s *System) { s.chain = spans.ChainLimit{Hops: hops, Age: age} })
}

// WithEventHook calls hook for every event of the given types in the system, or of all
// types if none is given. The calls are made one after the other on a goroutine of their
// own, and the processes do not wait for them. While hook blocks, up to 1,024 events wait;
// further ones are left out and counted ([Stats.EventsLost]). If hook panics,
// OpenTelemetry's error handler is told, and the next event follows.
//
// An event costs some 200 ns where it happens, and memory while it waits. Where many
// messages are refused on purpose, leave [MessageRefused] out.
func WithEventHook(hook func(Event), types ...EventType) SystemOption {
	return systemOption(func(s *System) { s.hook = eventHook{hook, slices.Clone(types)} })
}

// WithLogger writes all events to logger. Panics, and processes that ended because of a
// failure, are errors; all others are warnings. Of each kind of process the logger gets
// some 10 records a second, and then one record that says how many were left out. It is
// called like a hook ([WithEventHook]), after the hook. With a nil logger nothing is
// written.
//
// Without this option, panics and processes that ended because of a failure are written to
// [slog.Default], and nothing else.
func WithLogger(logger *slog.Logger) SystemOption {
	return systemOption(func(s *System) { s.log = eventLog{given: true, logger: logger} })
}

// WithDebug looks for mistakes that are easy to make, and reports each to OpenTelemetry's error
// handler (otel.SetErrorHandler), once for each place in the code, with its file and line:
//
//   - A handler of a traced message sends or calls with a context that has no trace, and that
//     is not derived from its own, such as [context.Background] or one that was kept at the
//     start of the program. Where the trace is to end on purpose, use [envelope.Untraced] of
//     the handler's context.
//   - The context of a traced message's handler is used to send or call after the handler has
//     returned. Its span has ended, so the new message seems to come from work that was over.
//   - A tracer provider is set after traced messages were handled. Their spans went to the
//     provider before it, which is one that does nothing if none was set.
//
// It is for tests and for development. With it a traced message costs some microseconds more,
// and so does each send anywhere in the program meanwhile. Without it, nothing costs more than a
// look at a flag. Channels have it too ([envelope.WithDebug]).
func WithDebug() SystemOption {
	return systemOption(func(s *System) { s.debug = true })
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
	silent   bool
	own      bool
}

func newSettings(opts []KindOption) (settings, error) {
	s := settings{onPanic: Terminate}
	for _, o := range opts {
		if o != nil {
			o.applyKind(&s)
		}
	}
	s.capacity = cmp.Or(s.capacity, 1024)
	switch {
	case s.capacity < 0:
		return s, fmt.Errorf("%w: capacity %d", ErrConfig, s.capacity)
	case s.capacity > maxCapacity:
		return s, fmt.Errorf("%w: capacity %d, and a mailbox holds at most %d", ErrConfig, s.capacity, maxCapacity)
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

// maxCapacity is far more than a process works off in the time that anybody waits: at a
// microsecond each, 16 s. So many messages take 0.4 GB and more, and a queue that is to
// hold more belongs on a disk. A larger number is a mistake, such as math.MaxInt for "no
// limit", and would leave the memory of the program without one.
const maxCapacity = 1 << 24

// WithCapacity sets how many messages a mailbox holds, beside the one being
// handled. Zero means the default, 1,024. Memory for them is taken as it is needed. More
// than 16,777,216 (2²⁴) is refused with [ErrConfig], because such a mailbox would be
// without a bound in practice.
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

// WithPassivation passivates idle processes, as [Ref.Passivate] does, when no message was
// sent to them for that long; at the latest after one and a half times that. Zero means
// the default: never. It concerns processes that were spawned with a [Factory].
func WithPassivation(idle time.Duration) KindOption {
	return kindOption(func(s *settings) { s.idle = idle })
}

// WithoutSpans makes no spans for the handlings of messages and for calls to the kind,
// whatever the control says. The trace is passed on to the handler all the same. It is for
// processes that only hand messages on. Late spans are made as for other kinds.
func WithoutSpans() KindOption {
	return kindOption(func(s *settings) { s.silent = true })
}

// WithRootSpans lets a message without a trace start one, if the sampler agrees. It is for
// the entry points of a service, whose senders are not traced. It starts no trace where
// somebody has decided against one: for a sender whose trace is not sampled, for the
// recipients that a fan-out skipped, and for messages from a handler that has no trace
// itself.
func WithRootSpans() KindOption {
	return kindOption(func(s *settings) { s.roots = true })
}

// WithDedicatedGoroutine gives each busy process of the kind a goroutine of its own,
// instead of one of the system's workers. It is for handlers that block most of the time.
// With workers, other processes wait about a millisecond until a blocked worker is
// noticed.
func WithDedicatedGoroutine() KindOption {
	return kindOption(func(s *settings) { s.own = true })
}

// GroupOption configures [NewGroup].
type GroupOption interface{ applyGroup(*groupSettings) }

type groupOption func(*groupSettings)

func (o groupOption) applyGroup(s *groupSettings) { o(s) }

// WithLinkedRoots starts a new trace for each sampled recipient of a broadcast, with a
// link to the broadcast, instead of going on in the broadcast's trace. It is for fan-outs
// whose traces would be too large to look at. The sampler of package sampler samples all
// these roots. Other samplers treat them like any root whose trace ID has the same last 8
// bytes.
func WithLinkedRoots() GroupOption {
	return groupOption(func(s *groupSettings) { s.linked = true })
}

type groupSettings struct {
	linked   bool
	sampling *sampling.GroupConfig // nil: the control's
}

// WithSampling sets how many recipients of a traced broadcast are sampled,
// whatever the system's control says. [NewGroup] refuses a config that a
// [sampling.Control] would refuse, such as one with a cap below its rate.
func WithSampling(config sampling.GroupConfig) GroupOption {
	return groupOption(func(s *groupSettings) { s.sampling = &config })
}
