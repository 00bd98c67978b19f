// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/internal/traces/explain"
)

// Whoever blames the longest span, or the longest wait, is wrong here: what is called innocent takes
// longer than all else and holds nothing up.
func TestTheLongestIsNotToBlame(t *testing.T) {
	for name, spans := range map[string][]tracetest.SpanStub{
		"a sibling at its side that ends earlier": {
			span(1, 0, server, "GET /", 0, 100),
			span(2, 1, client, "innocent", 0, 89),
			span(3, 1, client, "guilty", 15, 99),
		},
		"a message that is handled in the meantime": {
			span(1, 0, server, "GET /", 0, 100),
			span(2, 1, consumer, "innocent Do", 1, 97, of("innocent", "1", "Do")),
			span(3, 1, client, "guilty", 5, 99),
		},
		"a wait in the meantime": {
			span(1, 0, server, "GET /", 0, 100),
			span(2, 1, consumer, "innocent Do", 97, 98, of("innocent", "1", "Do"), queued(96)),
			span(3, 1, client, "guilty", 5, 99),
		},
		"another recipient": {
			span(1, 0, producer, "broadcast", 0, 1),
			span(2, 1, consumer, "innocent Do", 2, 95, of("innocent", "1", "Do"), queued(2)),
			span(3, 1, consumer, "guilty Do", 40, 100, of("guilty", "1", "Do"), queued(39)),
		},
		"a call that nobody waited for in the end": {
			span(1, 0, server, "GET /", 0, 100),
			span(2, 1, consumer, "side Do", 1, 96, of("side", "1", "Do")),
			span(3, 2, internal, "call innocent Do", 1, 96, of("innocent", "1", "Do")),
			span(4, 3, internal, "innocent Do", 1, 96, of("innocent", "1", "Do")),
			span(5, 1, internal, "guilty", 6, 99),
		},
		"what goes on after the answer": {
			span(1, 0, server, "GET /", 0, 100),
			span(2, 1, internal, "call innocent Do", 0, 5, of("innocent", "1", "Do")),
			span(3, 2, internal, "innocent Do", 0, 95, of("innocent", "1", "Do")),
			span(4, 1, internal, "guilty", 5, 99),
		},
		"a refused message": {
			span(1, 0, server, "GET /", 0, 100),
			span(2, 1, consumer, "innocent Do", 0, 97, of("innocent", "1", "Do"), late("refused_cancelled"), queued(97)),
			span(3, 1, internal, "guilty", 5, 99),
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := explain.Explain(snapshots(spans...), nil)
			assert.Contains(t, e.Sentence, "guilty")
			assert.NotContains(t, e.Sentence, "innocent")
			for _, s := range e.Path {
				if s.To.Sub(s.From) > 6*time.Millisecond {
					assert.NotContains(t, spans[int(s.Span[7])-1].Name, "innocent")
				}
			}
		})
	}
}

// The same spans with another end have another cause, so it is not the names that decide.
func TestTheEndDecides(t *testing.T) {
	for guilty, innocent := range map[float64]float64{90: 80, 80: 90} {
		e := explain.Explain(snapshots(
			span(1, 0, server, "GET /", 0, 100),
			span(2, 1, client, "a", 5, guilty),
			span(3, 1, client, "b", 5, innocent),
		), nil)
		if guilty > innocent {
			assert.Equal(t, `85 % of 100 ms: "a".`, e.Sentence)
		} else {
			assert.Equal(t, `85 % of 100 ms: "b".`, e.Sentence)
		}
	}
}
