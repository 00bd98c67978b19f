// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

// newBoundarySite is a site whose receiver stands at a boundary, and lets in the
// user's name alone of all baggage.
func newBoundarySite(t *testing.T, policy propagate.Policy) (*site, *propagate.Counters) {
	t.Helper()
	counters := &propagate.Counters{}
	boundary := propagate.Boundary{
		Policy: policy,
		Propagator: propagation.NewCompositeTextMapPropagator(
			propagate.TraceContext{Counters: counters},
			propagate.Baggage{Allow: []string{"user"}, Counters: counters},
		),
		Counters: counters,
	}
	s := newSite(t, boundary)
	s.provider = boundary.TracerProvider(s.provider)
	return s, counters
}

// A stranger states weights and budgets that are for trusted peers to state.
var fromStranger = []pair{
	{"traceparent", sampled}, {"tracestate", "waybill=w:1000,other=1"}, {"baggage", "user=alice,admin=true"},
}

func TestBoundaryPolicies(t *testing.T) {
	for name, open := range wires {
		for _, policy := range []propagate.Policy{propagate.Ignore, propagate.Link, propagate.Continue} {
			t.Run(fmt.Sprint(name, "/", policy), func(t *testing.T) {
				s, counters := newBoundarySite(t, policy)
				w := open(t, s)
				w.sendRaw("hello", fromStranger...)
				got := s.next(t)
				assert.Equal(t, "hello", got.body)
				assert.Equal(t, "user=alice", got.bag)
				want := propagate.Counts{Dropped: 1}
				if policy == propagate.Continue {
					assert.Equal(t, traceID, got.span.TraceID().String())
					assert.Equal(t, spanID, got.parent.SpanID().String())
					assert.Equal(t, "waybill=w:1000,other=1", got.onward["tracestate"])
					assert.Empty(t, got.links)
					assert.Equal(t, want, counters.Counts())
					return
				}
				assert.NotEqual(t, traceID, got.span.TraceID().String())
				assert.False(t, got.parent.IsValid(), "a root")
				assert.NotContains(t, got.onward, "tracestate")
				if policy == propagate.Link {
					require.Len(t, got.links, 1)
					assert.Equal(t, traceID, got.links[0].TraceID().String())
					assert.Equal(t, spanID, got.links[0].SpanID().String())
					want.Linked = 1
				} else {
					assert.Empty(t, got.links)
					want.Ignored = 1
				}
				assert.Equal(t, want, counters.Counts())

				// Nothing of the last caller is left for one who says nothing.
				w.sendRaw("again")
				got = s.next(t)
				assert.False(t, got.parent.IsValid())
				assert.Empty(t, got.links)
				assert.Empty(t, got.bag)
			})
		}
	}
}

// One service listens to the public, and calls another one that trusts it.
func TestPublicAndInternalListeners(t *testing.T) {
	for name, open := range map[string]func(*testing.T, *site) wire{"http": openHTTP, "grpc": openGRPC} {
		t.Run(name, func(t *testing.T) {
			public, counters := newBoundarySite(t, propagate.Link)
			internal, trusted := newBoundarySite(t, propagate.Continue)
			within := open(t, internal)
			public.handle = func(ctx context.Context) { within.send(ctx, "within") }
			open(t, public).sendRaw("hello", fromStranger...)

			outer, inner := public.next(t), internal.next(t)
			require.Len(t, outer.links, 1)
			assert.Equal(t, traceID, outer.links[0].TraceID().String())
			assert.NotEqual(t, traceID, outer.span.TraceID().String())

			assert.Equal(t, "within", inner.body)
			assert.Equal(t, outer.span.TraceID(), inner.span.TraceID(), "one trace from the boundary on")
			assert.True(t, inner.parent.IsRemote())
			assert.True(t, internal.isOurs(inner.parent.SpanID()), "the client's span")
			assert.Empty(t, inner.links, "the link is the first span's alone")
			assert.Equal(t, "user=alice", inner.bag)
			assert.Equal(t, trace.FlagsSampled, inner.span.TraceFlags()&trace.FlagsSampled)
			assert.EqualValues(t, 1, counters.Counts().Linked)
			assert.Zero(t, trusted.Counts())
		})
	}
}
