// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// event is what sessions get.
type event struct{}

// deliver broadcasts once to sessions, of which some are slow, and returns the
// spans of their handlings.
func deliver(t *testing.T, late sampling.Late, sessions, slow int, took time.Duration) (handlings tracetest.SpanStubs) {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	settings := sampling.DefaultConfiguration()
	settings.Default.Late = late
	control, err := sampling.NewControl(settings)
	require.NoError(t, err)
	sys := mailbox.NewSystem(mailbox.WithTracerProvider(provider), mailbox.WithControl(control))
	kind, err := mailbox.NewKind[event](sys, "session")
	require.NoError(t, err)
	group := mailbox.NewGroup[event](sys, "sessions")
	for i := range sessions {
		session, err := kind.Spawn("", func(context.Context, event) error {
			time.Sleep(time.Millisecond) // Of the bubble's time.
			if i < slow {
				time.Sleep(took)
			}
			return nil
		})
		require.NoError(t, err)
		require.NoError(t, group.Join(session))
	}
	ctx, root := provider.Tracer("test").Start(t.Context(), "root")
	require.Equal(t, sessions, group.Broadcast(ctx, event{}).Delivered)
	root.End()
	require.NoError(t, sys.Shutdown(context.Background()))
	for _, s := range exporter.GetSpans() {
		if s.Name == "session event" {
			handlings = append(handlings, s)
		}
	}
	return handlings
}

func sampleOf(spans tracetest.SpanStubs) *estimate.Sample {
	s := &estimate.Sample{}
	for _, span := range spans {
		if weight, ok := estimate.Weight(span.Attributes); ok {
			stage := estimate.StageOf(span.Parent.SpanID().String(), span.Attributes)
			s.Add(span.EndTime.Sub(span.StartTime).Seconds(), weight, stage)
		}
	}
	return s
}

// Spans as package mailbox makes them, with everything read from their attributes.
func TestEstimatesFromSpans(t *testing.T) {
	const sessions, slow, chosen = 400, 25, 10 // The default curve's 1,000 gives as many.
	const took = time.Second
	for _, test := range []struct {
		name                    string
		late                    sampling.Late
		fewest, most, exemplars int // spans that count, and exemplars, at the most
	}{
		{"no late spans", sampling.Late{}, chosen, chosen, 0},
		{"exemplars", sampling.Late{Slow: took, PerSecond: -1}, chosen, chosen, slow},
		{"stratum", sampling.Late{Slow: took, Stratum: true, PerSecond: -1}, slow, slow + chosen, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				spans := deliver(t, test.late, sessions, slow, took)
				s := sampleOf(spans)
				tally := s.Tally()
				t.Log(tally, s.Count(), s.Mean(), s.Above(0.5))
				assert.Equal(t, len(spans), tally.Counted+tally.Exemplars)
				assert.GreaterOrEqual(t, tally.Counted, test.fewest)
				assert.LessOrEqual(t, tally.Counted, test.most)
				assert.LessOrEqual(t, tally.Exemplars, test.exemplars)
				if test.late.Stratum {
					assert.InDelta(t, slow, s.Above(0.5).Value, 1e-9)
					e := s.Count()
					assert.True(t, e.Low <= sessions && sessions <= e.High, "%v", e)
					var only estimate.Sample
					for _, span := range spans {
						if weight, ok := estimate.Weight(span.Attributes); ok && weight == 1 {
							only.Add(1, weight)
						}
					}
					assert.Equal(t, estimate.Estimate{Value: slow, Low: slow, High: slow}, only.Count())
				} else {
					e := s.Count()
					assert.InDelta(t, sessions, e.Value, 1e-9)
					assert.Zero(t, e.StdErr, "the weights of one fan-out sum to its size")
				}
			})
		})
	}
}
