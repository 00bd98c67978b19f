// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/examples/patterns"
	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// feed is a fan-out called "feed".
func feed(t *testing.T, opts ...fanout.Option) *fanout.Fanout {
	t.Helper()
	f, err := fanout.New("feed", opts...)
	require.NoError(t, err)
	return f
}

// everybody samples all recipients.
func everybody() fanout.Option {
	return fanout.WithSampling(sampling.GroupConfig{Curve: sampling.Always()})
}

// clients returns n clients with room for one order each.
func clients(n int) []*patterns.Client {
	all := make([]*patterns.Client, n)
	for i := range all {
		all[i] = &patterns.Client{Send: make(orders, 1)}
	}
	return all
}

func hub(all []*patterns.Client) patterns.Clients {
	h := make(patterns.Clients)
	for _, c := range all {
		h[c] = true
	}
	return h
}

// show handles what the clients have got, and returns how many have got something.
func show(all []*patterns.Client) (shown int) {
	for _, c := range all {
		close(c.Send)
		for range envelope.Receive(context.Background(), c.Send, "show") {
			shown++
		}
	}
	return shown
}

// weights returns how many spans of that name there are, and the sum of their weights.
func (r recording) weights(name string) (spans int, sum float64) {
	for _, s := range r.Ended() {
		if s.Name() != name {
			continue
		}
		attributes := attribute.NewSet(s.Attributes()...)
		weight, _ := attributes.Value(attribute.Key("waybill.fanout.weight"))
		spans, sum = spans+1, sum+weight.AsFloat64()
	}
	return spans, sum
}

// tells checks how many spans of that name there are, and for how many recipients they stand.
func (r recording) tells(t *testing.T, name string, spans int, recipients float64) {
	t.Helper()
	n, sum := r.weights(name)
	assert.Equal(t, spans, n, name)
	assert.InDelta(t, recipients, sum, 1e-6, name)
}

func TestBroadcast(t *testing.T) {
	r := record(t)
	f, all := feed(t), clients(1000)
	r.from(t.Context(), "import", func(ctx context.Context) {
		d := hub(all).Pass(t.Context(), f, envelope.Wrap(ctx, patterns.Order{Item: "a lamp"}))
		assert.Equal(t, fanout.Delivery{Size: 1000, Delivered: 1000, Sampled: 10}, d)
	})
	assert.Equal(t, 1000, show(all))
	assert.Len(t, r.below(t)["broadcast feed"], 10)
	r.tells(t, "show", 10, 1000)
}

func TestBroadcastDropsTheSlow(t *testing.T) {
	r := record(t)
	f, all := feed(t, everybody()), clients(3)
	clients := hub(all)
	all[1].Send <- envelope.Bare(patterns.Order{Item: "old"})
	r.from(t.Context(), "import", func(ctx context.Context) {
		d := clients.Broadcast(ctx, f, patterns.Order{Item: "new"})
		assert.Equal(t, fanout.Delivery{Size: 3, Delivered: 2, Refused: 1, Sampled: 3}, d)
	})
	assert.Len(t, clients, 2)
	assert.Equal(t, "old", (<-all[1].Send).Message().Item)
	_, open := <-all[1].Send
	assert.False(t, open)
	assert.Equal(t, "refused_full", r.named(t, "deliver feed").Status().Description)
}

func TestNotify(t *testing.T) {
	r := record(t)
	f := feed(t, everybody())
	watchers := []chan envelope.Envelope[patterns.Order]{make(orders, 1), make(orders, 1)}
	r.from(t.Context(), "import", func(ctx context.Context) {
		assert.Empty(t, patterns.Notify(ctx, f, watchers, patterns.Order{Item: "old"}))
		<-watchers[0]
		assert.Equal(t, []int{1}, patterns.Notify(ctx, f, watchers, patterns.Order{Item: "new"}))
	})
	assert.Equal(t, "new", (<-watchers[1]).Message().Item)
	assert.Equal(t, "dead_letter_dropped", r.named(t, "deliver feed").Status().Description)
}

func TestBroadcastSharded(t *testing.T) {
	r := record(t)
	f, all := feed(t), clients(1000)
	r.from(t.Context(), "import", func(ctx context.Context) {
		patterns.BroadcastSharded(ctx, f, [][]*patterns.Client{all[:100], all[100:150], nil, all[150:]}, patterns.Order{})
	})
	assert.Equal(t, 1000, show(all))
	r.tells(t, "show", 10, 1000)
	r.named(t, "broadcast feed")
}

func TestBroadcastUnknown(t *testing.T) {
	r := record(t)
	f, all := feed(t, everybody()), clients(70)
	r.from(t.Context(), "import", func(ctx context.Context) {
		assert.Equal(t, 70, patterns.BroadcastUnknown(ctx, f, slices.Values(all), 50, patterns.Order{}))
	})
	assert.Equal(t, 70, show(all))
	r.tells(t, "show", 70, 70)
}

// One budget of spans holds for the clients of all relays.
func TestBroadcastRelays(t *testing.T) {
	r := record(t)
	f, relayed := feed(t), feed(t)
	var all []*patterns.Client
	var relays []*patterns.Relay
	var sizes []int
	var running sync.WaitGroup
	for range 20 {
		own := clients(50)
		relay := &patterns.Relay{Orders: make(orders), Clients: hub(own)}
		all, relays, sizes = append(all, own...), append(relays, relay), append(sizes, len(own))
		running.Go(func() { relay.Run(t.Context(), relayed) })
	}
	r.from(t.Context(), "import", func(ctx context.Context) {
		patterns.BroadcastRelays(ctx, f, relays, sizes, patterns.Order{})
	})
	for _, relay := range relays {
		close(relay.Orders)
	}
	running.Wait()
	assert.Equal(t, 1000, show(all))
	r.tells(t, "show", 10, 1000)
}

// broker keeps what is published.
type broker map[string]map[string][]string

func (b broker) Publish(subject string, header map[string][]string, _ []byte) error {
	if subject == "" {
		return errors.New("no subject")
	}
	b[subject] = header
	return nil
}

func TestPublishAll(t *testing.T) {
	r := record(t)
	f, b := feed(t), make(broker)
	subjects := []string{""}
	for i := range 999 {
		subjects = append(subjects, fmt.Sprint("orders.", i))
	}
	propagator := propagate.TraceContext{}
	r.from(t.Context(), "import", func(ctx context.Context) {
		d := patterns.PublishAll(ctx, f, b, propagator, subjects, nil)
		assert.Equal(t, fanout.Delivery{Size: 1000, Delivered: 999, Refused: 1, Sampled: 10}, d)
	})
	late, _ := r.weights("deliver feed") // If the subject that failed is sampled.
	sampled, sender := 0, r.named(t, "broadcast feed").SpanContext()
	for _, header := range b {
		sc := trace.SpanContextFromContext(propagator.Extract(t.Context(), propagate.MetadataCarrier(header)))
		assert.Equal(t, sender.TraceID(), sc.TraceID())
		if sc.IsSampled() {
			sampled++
			assert.Contains(t, sc.TraceState().Get("waybill"), "w:100;")
		}
	}
	assert.Equal(t, 10, sampled+late)
}
