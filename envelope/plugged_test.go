// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/plugged"
)

// What is plugged in may panic: each message is handled all the same, and the
// handler's own error and panic come through.
func TestReceivingSurvivesWhatIsPluggedIn(t *testing.T) {
	wrong := errors.New("wrong")
	for name, provider := range plugged.Providers() {
		t.Run(name, func(t *testing.T) {
			before, with := guard.Recovered(), envelope.WithTracerProvider(provider)
			bodies := 0
			for range envelope.Receive(t.Context(), filled(t, sampledContext(t), order{1}, order{2}), "r", with) {
				bodies++
			}
			assert.Equal(t, 2, bodies)

			fails := func(context.Context, order) error { return wrong }
			e := envelope.Wrap(sampledContext(t), order{3})
			require.ErrorIs(t, envelope.Handler(t.Context(), "h", fails, with)(e), wrong)

			panics := func(context.Context, order) error { panic(wrong) }
			require.PanicsWithValue(t, wrong, func() { _ = envelope.Handler(t.Context(), "h", panics, with)(e) })

			all := func(context.Context, []envelope.Envelope[order]) error { return wrong }
			batch := []envelope.Envelope[order]{e, e}
			require.ErrorIs(t, envelope.BatchHandler(t.Context(), "b", all, with)(batch), wrong)
			assert.GreaterOrEqual(t, guard.Recovered(), before+5)
		})
	}
}
