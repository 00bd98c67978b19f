// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
)

// event is the interface of messages that several types implement.
type event interface{ Name() string }

func (order) Name() string { return "order" }

type tick struct{}

func (*tick) Name() string { return "tick" }

func TestFromBareAndWrapped(t *testing.T) {
	ctx := sampledContext(t)
	wrapped := envelope.Wrap(ctx, order{1})

	e, err := envelope.From[order](order{1})
	require.NoError(t, err)
	assert.Equal(t, envelope.Bare(order{1}), e)

	e, err = envelope.From[order](wrapped)
	require.NoError(t, err)
	assert.Equal(t, order{1}, e.Message())
	assert.Same(t, wrapped.Header(), e.Header())

	e, err = envelope.From[order](envelope.Wrap[any](ctx, order{1}))
	require.NoError(t, err)
	assert.True(t, e.Header().Sampled())
	assert.Equal(t, order{1}, e.Message())
}

func TestFromNestedTakesTheOutermostHeader(t *testing.T) {
	outer := envelope.NewHeader(trace.ContextWithSpanContext(t.Context(),
		spanContext(trace.FlagsSampled).WithSpanID(trace.SpanID{2})))
	inner := envelope.NewHeader(sampledContext(t))

	for name, c := range map[string]struct {
		v    any
		want *envelope.Header
	}{
		"both":             {envelope.New(envelope.New(order{1}, inner), outer), outer},
		"inner":            {envelope.Bare(envelope.New(order{1}, inner)), inner},
		"outer":            {envelope.New(envelope.Bare(order{1}), outer), outer},
		"none":             {envelope.Bare(envelope.Bare(order{1})), nil},
		"through any":      {envelope.New[any](envelope.New(order{1}, inner), outer), outer},
		"inner, empty out": {envelope.New[any](envelope.New(order{1}, inner), new(envelope.Header)), inner},
		"three": {
			envelope.Bare[any](envelope.New[event](order{1}, outer)), outer,
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := envelope.From[order](c.v)
			require.NoError(t, err)
			assert.Equal(t, order{1}, e.Message())
			assert.Same(t, c.want, e.Header())

			a, err := envelope.From[any](c.v)
			require.NoError(t, err)
			assert.Equal(t, order{1}, a.Message(), "any is opened all the way too")
			assert.Same(t, c.want, a.Header())
		})
	}
}

func TestFromInterface(t *testing.T) {
	h := envelope.NewHeader(sampledContext(t))
	for name, v := range map[string]any{
		"bare":     &tick{},
		"itself":   envelope.New[event](&tick{}, h),
		"concrete": envelope.New(&tick{}, h),
		"any":      envelope.New[any](&tick{}, h),
	} {
		t.Run(name, func(t *testing.T) {
			e, err := envelope.From[event](v)
			require.NoError(t, err)
			assert.Equal(t, "tick", e.Message().Name())
			if name != "bare" {
				assert.Same(t, h, e.Header())
			}
		})
	}
	_, err := envelope.From[event](5)
	require.ErrorIs(t, err, envelope.ErrType)
	assert.NotErrorIs(t, fmt.Errorf("another"), envelope.ErrType)
}

func TestFromNil(t *testing.T) {
	e, err := envelope.From[event](nil)
	require.NoError(t, err, "the nil message of an interface type")
	assert.Nil(t, e.Message())

	h := envelope.NewHeader(sampledContext(t))
	e, err = envelope.From[event](envelope.New[any](nil, h))
	require.NoError(t, err)
	assert.Nil(t, e.Message())
	assert.Same(t, h, e.Header())

	_, err = envelope.From[order](nil)
	require.ErrorIs(t, err, envelope.ErrType)
	_, err = envelope.From[*tick](nil)
	require.ErrorIs(t, err, envelope.ErrType, "an untyped nil has no type to match")
	p, err := envelope.From[*tick]((*tick)(nil))
	require.NoError(t, err)
	assert.Nil(t, p.Message())
	_, err = envelope.From[order](envelope.Bare[any](nil))
	require.ErrorIs(t, err, envelope.ErrType)
}

func TestFromWrongType(t *testing.T) {
	for _, v := range []any{
		"text", 1, struct{}{}, &order{1}, []order{{1}},
		envelope.Bare("text"), envelope.Bare(envelope.Bare("text")), envelope.Bare[any](1),
	} {
		e, err := envelope.From[order](v)
		require.ErrorIs(t, err, envelope.ErrType)
		assert.Contains(t, err.Error(), fmt.Sprintf("%T", v), "the error names what came")
		assert.Contains(t, err.Error(), "envelope_test.order", "and what was expected")
		assert.Zero(t, e)
	}
}

// tracked is a message that has an Envelope's methods and is none.
type tracked struct {
	envelope.Envelope[order]

	Attempts int
}

// trackedByPointer would panic if its promoted methods were called.
type trackedByPointer struct {
	*envelope.Envelope[order]
}

func TestFromLeavesEmbeddedEnvelopesAlone(t *testing.T) {
	h := envelope.NewHeader(sampledContext(t))
	message := tracked{Envelope: envelope.New(order{1}, h), Attempts: 3}

	for name, v := range map[string]any{"bare": message, "wrapped": envelope.Bare(message)} {
		t.Run(name, func(t *testing.T) {
			e, err := envelope.From[tracked](v)
			require.NoError(t, err)
			assert.Equal(t, message, e.Message())
			assert.Nil(t, e.Header(), "its header is its own affair")

			a, err := envelope.From[any](v)
			require.NoError(t, err)
			assert.Equal(t, message, a.Message())

			_, err = envelope.From[order](v)
			require.ErrorIs(t, err, envelope.ErrType)
		})
	}

	for _, v := range []any{
		trackedByPointer{}, &message, (*tracked)(nil), (*envelope.Envelope[order])(nil),
		struct{ envelope.Envelope[order] }{},
	} {
		e, err := envelope.From[any](v)
		require.NoError(t, err, "%T", v)
		assert.Equal(t, v, e.Message())
		_, err = envelope.From[order](v)
		require.ErrorIs(t, err, envelope.ErrType, "%T", v)
	}
}

func TestFromOpensAnEnvelopeTypeNoFurther(t *testing.T) {
	type letter = envelope.Envelope[order]
	h := envelope.NewHeader(sampledContext(t))
	inner := envelope.New(order{1}, h)

	bare, err := envelope.From[letter](inner)
	require.NoError(t, err)
	assert.Equal(t, inner, bare.Message())
	assert.Nil(t, bare.Header())

	outer := envelope.NewHeader(withBaggage(t, t.Context(), "outer"))
	for name, v := range map[string]any{
		"wrapped":       envelope.New(inner, outer),
		"wrapped twice": envelope.Bare(envelope.New[any](inner, outer)),
	} {
		t.Run(name, func(t *testing.T) {
			e, err := envelope.From[letter](v)
			require.NoError(t, err)
			assert.Equal(t, inner, e.Message())
			assert.Same(t, outer, e.Header())
		})
	}
}
