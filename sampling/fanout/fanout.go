// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/broadcast"
	"github.com/waybill-go/waybill/internal/clock"
	standing "github.com/waybill-go/waybill/internal/fanout" // What a recipient stands for.
	"github.com/waybill-go/waybill/internal/gcra"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/live"
	"github.com/waybill-go/waybill/internal/observe"
	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/internal/scope"
	"github.com/waybill-go/waybill/sampling"
)

var errName = errors.New("fanout: a fan-out without a name")

// Fanout is a place in a program from which messages go to many recipients. It holds what
// all of its broadcasts have in common. Make one with [New]; its broadcasts may be made by
// any number of goroutines.
type Fanout struct {
	name   string
	opts   options
	tracer trace.Tracer
	group  *live.Cell[sampling.GroupConfig]
	kind   *live.Cell[sampling.KindConfig]

	late     gcra.Limiter // of uncounted late spans
	counts   counts
	registry observe.Registry
}

type options struct {
	provider trace.TracerProvider
	control  *sampling.Control
	config   *sampling.GroupConfig // nil: the control's
	kind     string
	carry    header.CarryPolicy
	linked   bool
}

// Option configures [New].
type Option interface{ apply(*options) }

type option func(*options)

func (o option) apply(s *options) { o(s) }

// WithTracerProvider sets where spans are made. By default, each span is made by the provider
// that is the global one when it starts.
func WithTracerProvider(provider trace.TracerProvider) Option {
	return option(func(o *options) { o.provider = provider })
}

// WithControl follows a control: the fan-out has the settings of the group of its name,
// and its recipients have those of their kind ([WithRecipientKind]). Fan-outs and groups
// with the same control and name share their rates. By default, all settings are the
// default ones.
func WithControl(control *sampling.Control) Option {
	return option(func(o *options) { o.control = control })
}

// WithSampling sets how many recipients of a traced broadcast are sampled, whatever the
// control says.
func WithSampling(config sampling.GroupConfig) Option {
	return option(func(o *options) { o.config = &config })
}

// WithRecipientKind says of what kind the recipients are. The control's settings for that
// kind then hold for them: whether they get traces at all, the rates that all fan-outs to
// the kind share, and whether those that refuse or lose a message leave a late span although
// they were not sampled (Late.Failures). The default is the name of the fan-out.
func WithRecipientKind(name string) Option {
	return option(func(o *options) { o.kind = name })
}

// WithCarryPolicy sets what messages take along from the context of a broadcast.
func WithCarryPolicy(policy envelope.CarryPolicy) Option {
	return option(func(o *options) { o.carry = header.CarryPolicy(policy) })
}

// WithLinkedRoots starts a new trace for each sampled recipient, with a link to the
// broadcast, instead of going on in the broadcast's trace. It is for fan-outs whose traces
// would be too large to look at. The sampler of package sampler samples all these roots. The
// headers of other transports cannot say that: a recipient by [Broadcast.NextContext] goes on
// in the broadcast's trace.
func WithLinkedRoots() Option {
	return option(func(o *options) { o.linked = true })
}

// New makes a fan-out called name. The name is part of the names of spans, so there should
// be few names. An error says what makes no sense; it wraps [sampling.ErrConfig] if that is
// the sampling.
func New(name string, opts ...Option) (*Fanout, error) {
	if name == "" {
		return nil, errName
	}
	f := &Fanout{name: name}
	for _, o := range opts {
		if o != nil {
			o.apply(&f.opts)
		}
	}
	if f.opts.config != nil {
		if err := f.opts.config.Validate(); err != nil {
			return nil, fmt.Errorf("fan-out %q: %w", name, err)
		}
	}
	if f.opts.control == nil {
		f.opts.control = new(sampling.Control)
	}
	if f.opts.kind == "" {
		f.opts.kind = name
	}
	control := (*live.Control[sampling.KindConfig, sampling.GroupConfig])(f.opts.control)
	f.group, f.kind = control.Group(name), control.Kind(f.opts.kind)
	if f.opts.config != nil {
		f.group.Fix(f.opts.config)
	}
	f.tracer = scope.Tracer(f.opts.provider, "sampling/fanout")
	return f, nil
}

// Begin starts a broadcast to n recipients and returns it. ctx is the sender's context. The
// caller asks [Broadcast.Next] once for each recipient, and calls [Broadcast.End] in the
// end. Begin does not block. If the trace in ctx is not sampled, at most one header is
// allocated, for all recipients: if there is baggage in ctx, or if the carry policy takes
// unsampled traces along.
//
// n should be exact. If there are fewer recipients, their weights still say how many each
// stands for. If there are more, those beyond n are never sampled. No fan-out has more than
// 2³¹ - 1.
func (f *Fanout) Begin(ctx context.Context, n int) Broadcast {
	n = min(max(n, 0), standing.MaxSize)
	return f.begin(ctx, n, func(b *broadcast.Broadcast, p planning.Planner) *broadcast.Recipients { return b.Plan(p, n) })
}

// BeginUnknown is Begin for recipients whose number is not known beforehand. There may be
// about so many, as there were the last time, for instance; 0 is allowed. The number has an
// effect on how many are sampled. If there are more, those beyond it are sampled like a
// fan-out to as many again, and so on. Weights are exact whatever the number is, but they sum
// to the number of recipients only on average, so estimates are less sure than those of
// Begin. MaxSpans and MaxSpansPerSecond are kept to on average, as far as the number is right.
func (f *Fanout) BeginUnknown(ctx context.Context, about int) Broadcast {
	return f.begin(ctx, planning.Never, func(b *broadcast.Broadcast, p planning.Planner) *broadcast.Recipients {
		return b.PlanStream(p, about)
	})
}

// BeginRelays is Begin for relays: recipients that pass the message on by a broadcast of
// their own, here or on another machine. sizes says how many final recipients each of them
// has, in the order in which the caller will ask Next, and is not kept. It need not be
// exact, but a relay of size 0 is never sampled.
//
// The number of final recipients that are sampled is planned once for the whole tree, and
// shared out to the relays. A relay uses up its share with its next broadcast in the
// message's trace, so it should make only one.
func (f *Fanout) BeginRelays(ctx context.Context, sizes []int) Broadcast {
	return f.begin(ctx, len(sizes), func(b *broadcast.Broadcast, p planning.Planner) *broadcast.Recipients {
		return b.PlanRelays(p, sizes)
	})
}

func (f *Fanout) begin(
	ctx context.Context, n int, plan func(*broadcast.Broadcast, planning.Planner) *broadcast.Recipients,
) Broadcast {
	if ctx == nil {
		ctx = context.Background()
	}
	b := Broadcast{fanout: f, ctx: ctx, end: n, due: planning.Never}
	kind := f.kind.Load()
	if kind.Untraced || !header.Traced(ctx) {
		h := f.opts.carry.HeaderWithDecision(ctx)
		if kind.Untraced && h != nil {
			h = h.WithSpanContext(trace.SpanContext{}).DecidedBy(ctx)
		}
		b.skipped = (*envelope.Header)(h)
		return b
	}
	var span *broadcast.Broadcast
	b.ctx, span = broadcast.Start(ctx, f.tracer, f.name, f.opts.carry, f.opts.linked)
	b.skipped = (*envelope.Header)(span.Header)
	b.traced = &traced{span: span, open: 1}
	if span.Header.Sampled() {
		reporting, _ := span.Skipped(f.opts.carry.Unsampled)
		b.skipped = (*envelope.Header)(reporting)
		b.recipients = plan(span, f.planner(kind))
		b.traced.plan = b.recipients
		b.due = b.recipients.Position()
	}
	return b
}

// planner returns what a plan depends on.
func (f *Fanout) planner(kind *sampling.KindConfig) planning.Planner {
	config := f.opts.config
	if config == nil {
		config = f.group.Load()
	}
	p := planning.Planner{Config: *config, Rate: &f.group.Rate, Now: time.Duration(clock.Now())}
	if kind.SpansPerSecond > 0 || kind.MaxSpansPerSecond > 0 {
		p.Limits = []planning.Limit{{
			Rate: &f.kind.Rate, SpansPerSecond: kind.SpansPerSecond, MaxSpansPerSecond: kind.MaxSpansPerSecond, Share: 1,
		}}
	}
	return p
}
