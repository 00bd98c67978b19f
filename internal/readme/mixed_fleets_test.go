// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package readme_test

import (
	"context"
	"os"
	"regexp"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/sampling"
)

// What the page on mixed fleets shows.

var counters wire.Counters

func readOrder(
	ctx context.Context, data []byte, ship func(context.Context, Order), keep func([]byte, error) error,
) error {
	// mixed-fleets: reader
	orders := wire.Config[Order]{Counters: &counters} // as encoding/json has them

	e, err := orders.Decode(data) // bare and wrapped alike
	if err != nil {
		return keep(data, err) // the bytes are as they came
	}
	ctx, order := e.Unwrap(ctx)
	ship(ctx, order)
	// mixed-fleets: end
	return nil
}

func writeOrder(ctx context.Context, order Order, on bool) ([]byte, error) {
	// mixed-fleets: writer
	var wraps atomic.Bool

	orders := wire.Config[Order]{Wrap: wraps.Load, Counters: &counters}

	data, err := orders.Append(nil, envelope.Wrap(ctx, order))
	// mixed-fleets: end
	if on {
		wraps.Store(true)
		return orders.Append(nil, envelope.Wrap(ctx, order))
	}
	return data, err
}

func controlledWriter(control *sampling.Control) wire.Config[Order] {
	// mixed-fleets: control
	orders := wire.Config[Order]{Wrap: control.Carries("orders")}
	// mixed-fleets: end
	return orders
}

func strangersReader() wire.Config[Order] {
	// mixed-fleets: strangers
	boundary := propagate.Boundary{
		Policy: propagate.Link,
		Propagator: propagation.NewCompositeTextMapPropagator(
			propagate.TraceContext{},
			propagate.Baggage{Allow: []string{"tenant"}, MaxBytes: 1024},
		),
	}
	frames := wire.Config[Order]{Form: wire.JSON, Boundary: boundary}
	// mixed-fleets: end
	return frames
}

func TestStrangersAreLinked(t *testing.T) {
	e, err := strangersReader().Decode([]byte(`{"waybill:envelope":{"version":1,` +
		`"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","baggage":"tenant=acme,admin=yes"},` +
		`"message":{"ID":7}}`))
	require.NoError(t, err)
	ctx, order := e.Unwrap(t.Context())
	link, ok := propagate.CallerLink(ctx)
	assert.True(t, ok)
	assert.Equal(t, "b7ad6b7169203331", link.SpanContext.SpanID().String())
	assert.Equal(t, "tenant=acme", baggage.FromContext(ctx).String())
	assert.Equal(t, Order{7}, order)
}

func TestMixedFleetsWork(t *testing.T) {
	shipped, kept, before := 0, 0, counters.Counts()
	ship := func(context.Context, Order) { shipped++ }
	keep := func(_ []byte, err error) error {
		kept++
		return err
	}
	for _, on := range []bool{false, true} {
		data, err := writeOrder(t.Context(), Order{7}, on)
		require.NoError(t, err)
		require.NoError(t, readOrder(t.Context(), data, ship, keep))
		require.Error(t, readOrder(t.Context(), data[:len(data)-1], ship, keep))
	}
	assert.Equal(t, 2, shipped)
	assert.Equal(t, 2, kept)
	assert.Equal(t, before.Bare+2, counters.Counts().Bare)
	assert.Equal(t, before.Wrapped+2, counters.Counts().Wrapped)

	control, err := sampling.NewControl(sampling.Config{})
	require.NoError(t, err)
	w := controlledWriter(control)
	assert.True(t, w.Wrap())
	require.NoError(t, control.Set(sampling.Config{
		Kinds: map[string]sampling.KindConfig{"orders": {Untraced: true}},
	}))
	assert.False(t, w.Wrap())
}

// TestTheJSONForm reads what the page shows: a wrapped message with everything in it, and a
// flat one, which is bare.
func TestTheJSONForm(t *testing.T) {
	shown := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(read(t, "../../docs/mixed-fleets.md"), -1)
	require.Len(t, shown, 2)
	counters := new(wire.Counters)
	orders := wire.Config[Order]{Counters: counters}

	wrapped, err := orders.Decode([]byte(shown[0][1]))
	require.NoError(t, err)
	assert.Equal(t, Order{7}, wrapped.Message())
	h := wrapped.Header()
	assert.Equal(t, "b7ad6b7169203331", h.SpanContext().SpanID().String())
	assert.Equal(t, "vendor=value", h.SpanContext().TraceState().String())
	assert.Equal(t, "customer=acme", h.Baggage().String())
	assert.Equal(t, 6, h.SentAt().Nanosecond())
	assert.Equal(t, wire.Counts{Wrapped: 1}, counters.Counts(), "nothing was left out")

	flat, err := orders.Decode([]byte(shown[1][1]))
	require.NoError(t, err)
	assert.Equal(t, envelope.Bare(Order{7}), flat)
	assert.Equal(t, wire.Counts{Wrapped: 1, Bare: 1}, counters.Counts())
}

// TestMembersOfTheJSONFormAreListed compares the page with the names that the reader knows.
func TestMembersOfTheJSONFormAreListed(t *testing.T) {
	known := regexp.MustCompile(`case ("version", "crit", .*):`).FindStringSubmatch(read(t, "../../envelope/wire/json.go"))
	require.NotNil(t, known)
	names := regexp.MustCompile(`"([a-z_]+)"`).FindAllStringSubmatch(known[1], -1)
	require.NotEmpty(t, names)
	page := read(t, "../../docs/mixed-fleets.md")
	for _, name := range names {
		assert.Regexp(t, "(?m)^\\|.*`"+name[1]+"`.* \\|", page)
	}
}

// TestMetricsOfMixedFleetsExist checks that the package has every metric that the page
// names.
func TestMetricsOfMixedFleetsExist(t *testing.T) {
	text, err := os.ReadFile("../../docs/mixed-fleets.md")
	require.NoError(t, err)
	source, err := os.ReadFile("../../envelope/wire/metrics.go")
	require.NoError(t, err)
	names := regexp.MustCompile(`waybill\.envelope\.[a-z._]+`).FindAllString(string(text), -1)
	require.NotEmpty(t, names)
	for _, name := range names {
		assert.Contains(t, string(source), `"`+name+`"`)
	}
}
