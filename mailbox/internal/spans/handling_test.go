// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package spans_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/broadcast"
	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/plugged"
	"github.com/waybill-go/waybill/mailbox/internal/contexts"
	"github.com/waybill-go/waybill/mailbox/internal/spans"
)

func TestHandlingIsAChildThatSaysHowLongItWaited(t *testing.T) {
	r := record(t, spans.ChainLimit{})
	m := r.message(sampled())
	span := r.handle(m, spans.Failure{})
	assert.Equal(t, "clerk letter", span.Name)
	assert.Equal(t, trace.SpanKindConsumer, span.SpanKind)
	assert.Equal(t, sender.TraceID(), span.SpanContext.TraceID())
	assert.Equal(t, sender.SpanID(), span.Parent.SpanID())
	assert.Empty(t, span.Links)
	assert.Equal(t, codes.Unset, span.Status.Code)
	attrs := attributes(span)
	waited, _ := attrs[keys.QueueDuration].(float64)
	assert.InDelta(t, 60, waited, 30)
	delete(attrs, keys.QueueDuration)
	assert.Equal(t, map[any]any{
		keys.ProcessKind: "clerk", keys.ProcessID: "7", keys.MessageType: "letter",
	}, anyKeys(attrs))

	m.Awaited, m.Process = true, ""
	span = r.handle(m, spans.Failure{})
	assert.Equal(t, trace.SpanKindInternal, span.SpanKind, "a caller waits")
	assert.NotContains(t, attributes(span), keys.ProcessID)
}

func anyKeys[K comparable](m map[K]any) map[any]any {
	all := make(map[any]any, len(m))
	for k, v := range m {
		all[k] = v
	}
	return all
}

func TestHandlingOfASampledRecipientSaysWhatItStandsFor(t *testing.T) {
	r := record(t, spans.ChainLimit{})
	f := fanout.Fanout{}.Below(4, 8)
	sc := sender.WithTraceState(f.AddTo(sender.TraceState()))
	attrs := attributes(r.handle(r.message(header.Of(header.Content{SpanContext: sc, SentAt: longAgo, SampledByFanout: true})), spans.Failure{}))
	assert.InDelta(t, 4, attrs[keys.FanoutWeight], 0)
	assert.InDelta(t, 0.25, attrs[keys.FanoutProbability], 0)
	assert.EqualValues(t, 8, attrs[keys.FanoutSize])
	assert.EqualValues(t, 1, attrs[keys.FanoutDepth])
}

// A trace that has gone on for too long, and the trace of a recipient that is to have
// one of its own, go on in a new one with a link, whose ID has the same last 8 bytes.
func TestHandlingGoesOnInANewTrace(t *testing.T) {
	limit := spans.ChainLimit{Hops: 3, Age: time.Hour}
	for _, test := range []struct {
		name    string
		content header.Content
		link    string // "" for none
	}{
		{"within the limit", header.Content{Hops: 3, Age: time.Hour}, ""},
		{"too many hops", header.Content{Hops: 4}, "chain"},
		{"too old", header.Content{Hops: 1, Age: time.Hour + 1}, "chain"},
		{"linked", header.Content{Hops: 1, SampledByFanout: true, Linked: true}, "fanout"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := record(t, limit)
			test.content.SpanContext, test.content.SentAt = sender, longAgo
			span := r.handle(r.message(header.Of(test.content)), spans.Failure{})
			if test.link == "" {
				assert.Equal(t, sender.TraceID(), span.SpanContext.TraceID())
				assert.Empty(t, span.Links)
				return
			}
			was, is := sender.TraceID(), span.SpanContext.TraceID()
			assert.NotEqual(t, was, is)
			assert.Equal(t, was[8:], is[8:])
			assert.False(t, span.Parent.SpanID().IsValid())
			require.Len(t, span.Links, 1)
			assert.Equal(t, sender.SpanID(), span.Links[0].SpanContext.SpanID())
			assert.Equal(t, test.link, span.Links[0].Attributes[0].Value.AsString())
		})
	}
}

func TestNoLimitNeverCuts(t *testing.T) {
	r := record(t, spans.ChainLimit{Hops: -1, Age: -1})
	h := header.Of(header.Content{SpanContext: sender, SentAt: longAgo, Hops: header.MaxHops, Age: header.MaxAge})
	assert.Equal(t, sender.TraceID(), r.handle(r.message(h), spans.Failure{}).SpanContext.TraceID())
}

func TestHandlingLinksToTheOneBeforeTheRestart(t *testing.T) {
	r := record(t, spans.ChainLimit{})
	m := r.message(sampled())
	failed := sender.WithSpanID(trace.SpanID{1})
	_, span := m.StartHandling(m.Header.Context(contexts.Base()), failed)
	span.End()
	links := r.one().Links
	require.Len(t, links, 1)
	assert.Equal(t, failed.SpanID(), links[0].SpanContext.SpanID())
	assert.Equal(t, "restart", links[0].Attributes[0].Value.AsString())
}

// A message without a trace, for which there is to be a span, gets a root.
func TestHandlingOfAnUntracedMessageIsARoot(t *testing.T) {
	r := record(t, spans.ChainLimit{})
	span := r.handle(r.message(nil), spans.Failure{})
	assert.False(t, span.Parent.IsValid())
	assert.NotContains(t, attributes(span), keys.QueueDuration)
}

func TestFailuresAreOnTheSpan(t *testing.T) {
	boom := errors.New("boom")
	for _, test := range []struct {
		name    string
		failure spans.Failure
		status  string
		stack   bool
	}{
		{"an error", spans.Failure{Err: boom}, "boom", false},
		{"a panic", spans.Failure{Err: boom, Panicked: true, Value: "bang", Stack: []byte("here")}, "panic: bang", true},
		{"a panic of another handler", spans.Failure{Err: boom, Panicked: true}, "boom", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := record(t, spans.ChainLimit{})
			span := r.handle(r.message(sampled()), test.failure)
			assert.Equal(t, codes.Error, span.Status.Code)
			assert.Equal(t, test.status, span.Status.Description)
			require.Len(t, span.Events, 1)
			var stack bool
			for _, a := range span.Events[0].Attributes {
				stack = stack || a.Key == "exception.stacktrace" && a.Value.AsString() == "here"
			}
			assert.Equal(t, test.stack, stack)
		})
	}
}

// What is plugged in costs the span, and nothing else.
func TestWhatIsPluggedInMayPanic(t *testing.T) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {})) // It is told, at length.
	for name, provider := range plugged.Providers() {
		t.Run(name, func(t *testing.T) {
			tracer := spans.New(contexts.Base(), provider.Tracer("test"), spans.ChainLimit{})
			m := &spans.Message{Kind: tracer.Kind("clerk", spans.NewLate()), Type: letters, Header: sampled()}
			for start, span := range map[string]func(context.Context) (context.Context, trace.Span){
				"handling": func(ctx context.Context) (context.Context, trace.Span) {
					return m.StartHandling(ctx, trace.SpanContext{})
				},
				"call": m.StartCall,
			} {
				ctx, made := span(inTrace())
				assert.NotNil(t, ctx, start)
				if made != nil {
					f := spans.Failure{Err: errors.New("boom")}
					f.End(made)
				}
			}
			_, b := tracer.StartBroadcast(inTrace(), "all", header.CarryPolicy{}, false)
			b.Describe(broadcast.Result{Size: 1})
			b.End()
			m.NeverHandled("refused_full", 0, everything())
			m.EndedLate(&spans.Handled{Failure: spans.Failure{Err: errors.New("boom")}}, &everything().Late)
			m.LateReply()
		})
	}
}

func TestNamesLeaveThePackageOut(t *testing.T) {
	r := record(t, spans.ChainLimit{})
	type local[T any] struct{ _ T }
	for want, of := range map[string]reflect.Type{
		"letter":          letters,
		"nil":             nil,
		"int":             reflect.TypeFor[int](),
		"Time":            reflect.TypeFor[*time.Time](),
		"[]Time":          reflect.TypeFor[[]time.Time](),
		"map[string]Time": reflect.TypeFor[map[string]time.Time](),
		"local[Time]":     reflect.TypeFor[local[time.Time]](),
	} {
		assert.Equal(t, want, r.kind.TypeName(of))
		assert.Equal(t, want, r.kind.TypeName(of), "the second time")
	}
}

func TestDecisionIsAboutSendersInATrace(t *testing.T) {
	nobody := context.Background()
	assert.True(t, spans.Undecided(nil))
	assert.False(t, spans.Undecided(sampled()))
	assert.False(t, spans.Undecided(sampled().Skip(false)), "a fan-out skipped it")
	assert.Nil(t, spans.WithDecision(nobody, nil))
	assert.False(t, spans.Undecided(spans.WithDecision(contexts.Base(), nil)), "a handler without a trace")
	assert.False(t, spans.Undecided(spans.WithDecision(inTrace(), nil)))
	h := sampled()
	assert.Same(t, h, spans.WithDecision(inTrace(), h))
}

// What a shared header stands for is known although another has taken its place.
func TestSharedHeadersStandForTheSameThatTheySay(t *testing.T) {
	r := record(t, spans.ChainLimit{})
	_, b := r.StartBroadcast(inTrace(), "all", header.CarryPolicy{}, false)
	share := func(f fanout.Fanout) *header.Header {
		h := b.Sampled(f)
		r.Share(h, f)
		return h
	}
	first, second := share(fanout.Fanout{}.Below(4, 8)), share(fanout.Fanout{}.Below(5, 10))
	b.End()
	r.ended.Reset()
	assert.InDelta(t, 4, attributes(r.handle(r.message(first), spans.Failure{}))[keys.FanoutWeight], 0)
	assert.InDelta(t, 5, attributes(r.handle(r.message(second), spans.Failure{}))[keys.FanoutWeight], 0)
}
