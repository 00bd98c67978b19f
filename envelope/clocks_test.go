// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/internal/envelopetest"
)

// How long a message waited that was read from bytes is the difference of two clocks, and says
// so. That of any other message is by one.
func TestWaitsThatCrossClocks(t *testing.T) {
	read := func(e envelope.Envelope[string]) envelope.Envelope[string] {
		config := wire.Config[string]{}
		data, err := config.Append(nil, e)
		require.NoError(t, err)
		e, err = config.Decode(data)
		require.NoError(t, err)
		return e
	}
	for name, test := range map[string]struct {
		arrives func(envelope.Envelope[string]) envelope.Envelope[string]
		crossed bool
	}{
		"from here":  {func(e envelope.Envelope[string]) envelope.Envelope[string] { return e }, false},
		"from bytes": {read, true},
		"from bytes, sent again": {func(e envelope.Envelope[string]) envelope.Envelope[string] {
			e = read(e)
			return envelope.New(e.Message(), e.Header().WithSentAt(time.Now()))
		}, false},
	} {
		for _, batch := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				provider, recorder := envelopetest.NewProvider(t)
				e := test.arrives(envelope.Wrap(envelopetest.SampledContext(t), "hello"))
				with := envelope.WithTracerProvider(provider)
				if batch {
					handle := func(context.Context, []envelope.Envelope[string]) error { return nil }
					require.NoError(t, envelope.BatchHandler(t.Context(), "show", handle, with)([]envelope.Envelope[string]{e}))
				} else {
					handle := func(context.Context, string) error { return nil }
					require.NoError(t, envelope.Handler(t.Context(), "show", handle, with)(e))
				}
				require.Len(t, recorder.Ended(), 1)
				crossed := attribute.Bool("waybill.clocks.crossed", true)
				if attrs := recorder.Ended()[0].Attributes(); test.crossed {
					assert.Contains(t, attrs, crossed)
				} else {
					assert.NotContains(t, attrs, crossed)
				}
			})
		}
	}
}
