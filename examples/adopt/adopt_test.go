// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	bare "github.com/waybill-go/waybill/examples/adopt/before"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// before is the shop as it was.
var before = shop{
	startThumbnails: func(
		ctx context.Context, workers int,
		resize func(context.Context, string) (int, error), save func(context.Context, string, int, error),
	) thumbnails {
		return bare.StartThumbnails(ctx, workers, resize, save)
	},
	importAll: bare.Import,
	startClicks: func(
		ctx context.Context, enough int, after time.Duration, exec func(context.Context, string, ...any) error,
	) clicks {
		return bare.StartClicks(ctx, enough, after, exec)
	},
	startOrders: func(
		ctx context.Context, conn *nats.Conn, workers int, ship func(context.Context, string) error,
	) (orders, error) {
		return bare.StartOrders(ctx, conn, workers, ship)
	},
	payments: bare.Payments,
	runFeeds: func(ctx context.Context, f feeds, workers int, every, beat time.Duration) {
		bare.Feeds(f).Run(ctx, workers, every, beat)
	},
}

// Each piece does the same before and after. Before, what it calls for a request is in traces of
// its own, and has one where there should be none. After, each request has one whole trace. A
// span that failed has an exclamation mark, and a span with links a tilde for each of them.
func TestPieces(t *testing.T) {
	for i, test := range []struct {
		done          []string
		before, after []string
	}{
		{ // Pool
			done:   []string{"thumbnail of broken: 6, it is broken", "thumbnail of cup: 3, <nil>", "thumbnail of plate: 5, <nil>", "thumbnail of untraced: 8, <nil>"},
			before: slices.Concat(times(4, "GET image"), times(3, "POST image"), times(4, "PUT thumbnail")),
			after: append(times(2, "POST image(resize image(GET image save thumbnail(PUT thumbnail)))"),
				"POST image(resize image!(GET image save thumbnail(PUT thumbnail)))"),
		},
		{ // Group
			done: []string{
				"add broken", "add cup", "add plate", "add spoon", "add untraced",
				"import [broken]: it is broken", "import [cup plate spoon]: <nil>", "import [untraced]: <nil>",
			},
			before: []string{
				"INSERT product", "POST catalogue!(INSERT product)",
				"POST catalogue(INSERT product INSERT product INSERT product)",
			},
			after: []string{
				"POST catalogue!(add product!(INSERT product))",
				"POST catalogue(add product(INSERT product) add product(INSERT product) add product(INSERT product))",
			},
		},
		{ // Batcher
			done: []string{
				"INSERT INTO clicks VALUES (?) [/forks]", "INSERT INTO clicks VALUES (?) [untraced]",
				"INSERT INTO clicks VALUES (?), (?), (?) [/cups /plates /spoons]",
				"click on /cups: true", "click on /forks: true", "click on /plates: true", "click on /spoons: true", "click on untraced: true",
			},
			before: slices.Concat(times(4, "GET page"), times(3, "INSERT clicks")),
			after: []string{
				"GET page", "GET page",
				"GET page(store clicks~(INSERT clicks))", "GET page(store clicks~~~(INSERT clicks))",
			},
		},
		{ // NATS
			done:   []string{"ship broken", "ship cup", "ship unsampled", "ship untraced"},
			before: slices.Concat(times(2, "POST order"), times(4, "UPDATE stock")),
			after:  []string{"POST order(ship order!(UPDATE stock))", "POST order(ship order(UPDATE stock))"},
		},
		{ // Kafka
			done: []string{
				"book broken", "book cup", "book plate", "book unsampled", "book untraced",
				"partition 0 is booked up to 2", "partition 1 is booked up to 2", "payments: it is broken",
			},
			before: slices.Concat(times(5, "INSERT payment"), times(3, "POST payment")),
			after:  append(times(2, "POST payment(book payment(INSERT payment))"), "POST payment(book payment!(INSERT payment))"),
		},
		{ // Ticker
			done: slices.Concat(times(3, "beat"), times(2, "fetch cups"), times(2, "fetch plates")),
			before: []string{
				"main(GET feed GET feed GET feed GET feed PUT heartbeat PUT heartbeat PUT heartbeat)",
			},
			after: append([]string{"main"}, times(2, "refresh feeds(fetch feed(GET feed) fetch feed(GET feed))")...),
		},
	} {
		piece := pieces[i]
		for _, variant := range []struct {
			name string
			shop shop
			want []string
		}{{"before", before, test.before}, {"after", after, test.after}} {
			t.Run(piece.name+"/"+variant.name, func(t *testing.T) {
				play := func(t *testing.T) {
					recorder := recordSpans(t)
					s := &scene{shop: variant.shop}
					require.NoError(t, piece.play(s, t.Context()))
					slices.Sort(s.done)
					assert.Equal(t, test.done, s.done)
					assert.ElementsMatch(t, variant.want, forest(t, recorder.Ended()))
					assert.Len(t, recorder.Ended(), len(recorder.Started()), "all spans have ended")
				}
				if strings.Contains(piece.name, "consumer") {
					play(t) // It needs a real network.
				} else {
					synctest.Test(t, play)
				}
			})
		}
	}
}

func TestRunPrintsATraceOfEachPiece(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) })
	printed := out.String()
	for i, first := range []string{"POST image", "POST catalogue", "GET page", "POST order", "POST payment", "refresh feeds"} {
		assert.Regexp(t, `(?m)^`+pieces[i].name+`\ntrace [0-9a-f]{32}: \d+ spans of 1 service in .*\n(.+\n)+\n`+
			`service .*\nshop +`+first+` `, printed)
	}
}

func times(n int, s string) []string { return slices.Repeat([]string{s}, n) }

func recordSpans(t *testing.T) *tracetest.SpanRecorder {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)))
	t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) })
	return recorder
}

// forest returns each trace as a tree of names, in the order of the alphabet.
func forest(t *testing.T, spans []sdktrace.ReadOnlySpan) (trees []string) {
	t.Helper()
	below := map[trace.SpanID][]sdktrace.ReadOnlySpan{}
	known := map[trace.SpanID]bool{}
	traces := map[trace.TraceID]bool{}
	for _, s := range spans {
		known[s.SpanContext().SpanID()] = true
		traces[s.SpanContext().TraceID()] = true
		below[s.Parent().SpanID()] = append(below[s.Parent().SpanID()], s)
	}
	var branches func(parent trace.SpanID) []string
	branches = func(parent trace.SpanID) (names []string) {
		for _, s := range below[parent] {
			name := s.Name()
			if s.Status().Code == codes.Error {
				name += "!"
			}
			for _, l := range s.Links() {
				require.True(t, known[l.SpanContext.SpanID()], "a link leads nowhere")
				name += "~"
			}
			if children := branches(s.SpanContext().SpanID()); children != nil {
				name += "(" + strings.Join(children, " ") + ")"
			}
			names = append(names, name)
		}
		slices.Sort(names)
		return names
	}
	trees = branches(trace.SpanID{})
	require.Len(t, trees, len(traces), "each trace has one root")
	return trees
}
