// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
)

const mixedState = "a=1,foo@=2,b=3,4th=4"

// Over a wire the whole tracestate goes on, in its order, and of one that has
// become too long what the standard lets through.
func TestMembersBesideTheTraceStateGoOverTheWire(t *testing.T) {
	for _, form := range []wire.Form{wire.Binary, wire.JSON} {
		for name, tt := range map[string]struct {
			state, added, want string
			cut                uint64
		}{
			"mixed":    {mixedState, "", mixedState, 0},
			"full":     {numbered(32), "", numbered(32), 0},
			"too long": {numbered(32), "new=1", "new=1," + numbered(31), 1},
		} {
			t.Run(name, func(t *testing.T) {
				ctx := withTraceState(t, t.Context(), trace.FlagsSampled, tt.state)
				if tt.added != "" {
					sc := trace.SpanContextFromContext(ctx)
					state, err := sc.TraceState().Insert("new", "1")
					require.NoError(t, err)
					ctx = trace.ContextWithSpanContext(ctx, sc.WithTraceState(state))
				}
				var counters wire.Counters
				w := wire.Config[order]{Form: form, Counters: &counters}
				data, err := w.Append(nil, envelope.Wrap(ctx, order{1}))
				require.NoError(t, err)
				e, err := w.Decode(data)
				require.NoError(t, err)
				ctx, _ = e.Unwrap(t.Context())
				assert.Equal(t, tt.want, whole(ctx))
				assert.Equal(t, tt.cut, counters.Figures().Cut)
				assert.Zero(t, counters.Figures().TraceStateRefused)
			})
		}
	}
}

// numbered returns n members, of which every other is none for OTel's type.
func numbered(n int) string {
	var members []string
	for i := range n {
		key := fmt.Sprintf("%dth", i)
		if i%2 == 0 {
			key = fmt.Sprintf("k%d", i)
		}
		members = append(members, key+"=v")
	}
	return strings.Join(members, ",")
}
