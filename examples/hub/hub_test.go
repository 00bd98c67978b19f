// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	hub "github.com/waybill-go/waybill/examples/hub/after"
	"github.com/waybill-go/waybill/examples/internal/readmetest"
	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/internal/traces"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/fanout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestReadmeShowsTheDifference(t *testing.T) {
	added, removed := readmetest.ShowsDifference(t, "before/hub.go", "after/hub.go")
	assert.Less(t, added+removed, 25, "changed lines")
}

func TestRun(t *testing.T) {
	for name, c := range map[string]config{
		"one goroutine": {sockets: 100, messages: 3},
		"sharded":       {sockets: 40, memory: 60, messages: 3, shards: 4},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			require.NoError(t, run(t.Context(), &out, c))
			assert.Regexp(t, `^trace [0-9a-f]{32}: 12 spans of 1 service in .*\n(.+\n)+\n`+
				`service +span .*\n`+
				`hub +say .*\n`+
				`hub {8}broadcast chat .*\n`+
				`(hub {10}write message .*░.* × 10\n){3}`+
				` +… 7 more like these`, out.String())
			assert.Contains(t, out.String(), "3 traced broadcasts to 300 recipients, of which 30 (10 %) were sampled")
			assert.Contains(t, out.String(), "\nhub: 300 messages were delivered, 0 refused\n")
		})
	}
	assert.ErrorIs(t, run(t.Context(), &bytes.Buffer{}, config{}), errFlags)
	assert.ErrorIs(t, run(t.Context(), &bytes.Buffer{}, config{sockets: 1, memory: -1}), errFlags)
}

// crowd is a hub with clients in memory.
type crowd struct {
	t        *testing.T
	chat     *fanout.Fanout
	recorder *record.Recorder
	clients  []*memory // the slow ones come last
	slow     int

	got     sync.WaitGroup // messages that clients have yet to get
	fast    atomic.Int64   // messages that fast clients have got
	release chan struct{}  // Slow clients wait for it with each message.
	stop    context.CancelFunc
	running sync.WaitGroup
}

// gather runs a hub with n clients, some of them slow.
func gather(t *testing.T, n, slow int, run func(*hub.Hub, context.Context), opts ...fanout.Option) *crowd {
	t.Helper()
	c := &crowd{t: t, slow: slow, recorder: record.New(traces.Config{}), release: make(chan struct{})}
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(c.recorder)))
	t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) })
	var err error
	c.chat, err = fanout.New("chat", opts...)
	require.NoError(t, err)
	h := hub.New(c.chat)
	var ctx context.Context
	ctx, c.stop = context.WithCancel(t.Context())
	c.running.Go(func() { run(h, ctx) })
	var joined sync.WaitGroup
	joined.Add(n)
	for i := range n {
		take := func([]byte) {
			c.fast.Add(1)
			c.got.Done()
		}
		if i >= n-slow {
			began := sync.OnceFunc(c.got.Done)
			take = func([]byte) {
				began()
				<-c.release
			}
		}
		client := newMemory(joined.Done, take)
		c.clients = append(c.clients, client)
		c.running.Go(func() { h.Serve(t.Context(), client) })
	}
	joined.Wait()
	return c
}

// say sends a message. It returns when so many clients have got it.
func (c *crowd) say(clients int) {
	c.got.Add(clients)
	c.clients[0].says <- []byte("hello")
	c.got.Wait()
}

// flood sends messages until the slow clients have no room for the last one.
func (c *crowd) flood() (messages int) {
	c.say(len(c.clients)) // Each slow client has this in its hands, and 16 more fit in its queue.
	for range 16 + 1 {
		c.say(len(c.clients) - c.slow)
	}
	return 1 + 16 + 1
}

// end lets the slow clients go on, ends the hub, and waits for all clients.
func (c *crowd) end() {
	close(c.release)
	for _, client := range c.clients[len(c.clients)-c.slow:] {
		<-client.closed
		assert.ErrorIs(c.t, client.why, hub.ErrSlow)
	}
	c.stop()
	c.running.Wait()
	for _, client := range c.clients[:len(c.clients)-c.slow] {
		assert.ErrorIs(c.t, client.why, hub.ErrClosed)
	}
}

// counted is what the spans of one message say.
type counted struct {
	size, delivered, refused int64   // as the broadcast says
	weights, lateWeights     float64 // sums, of handlings and of late spans
	recipients               int     // spans of them
	late                     []string
}

// count counts the spans of each message, in the order of sending.
func (c *crowd) count() (all []counted) {
	for _, summary := range c.recorder.All() {
		var m counted
		for _, span := range c.recorder.Trace(summary.ID).Spans {
			attributes := attribute.NewSet(span.Attributes()...)
			value := func(key string) attribute.Value {
				v, _ := attributes.Value(attribute.Key("waybill." + key))
				return v
			}
			switch span.Name() {
			case "broadcast chat":
				m.size = value("fanout.size").AsInt64()
				m.delivered, m.refused = value("fanout.delivered").AsInt64(), value("fanout.refused").AsInt64()
			case "write message":
				m.recipients++
				m.weights += value("fanout.weight").AsFloat64()
			case "deliver chat":
				m.recipients++
				m.lateWeights += value("fanout.weight").AsFloat64()
				m.late = append(m.late, value("late.reason").AsString())
			}
		}
		all = append(all, m)
	}
	return all
}

var runs = map[string]func(*hub.Hub, context.Context){
	"one goroutine": (*hub.Hub).Run,
	"sharded":       func(h *hub.Hub, ctx context.Context) { h.RunSharded(ctx, 4) },
}

// A message to 10,000 clients leaves the spans of ten, which stand for all, also when some
// clients are too slow and are dropped.
func TestTenThousandClients(t *testing.T) {
	const clients, slow = 10_000, 2000
	for name, run := range runs {
		t.Run(name, func(t *testing.T) {
			c := gather(t, clients, slow, run)
			messages := c.flood()
			c.say(clients - slow)
			c.end()
			all := c.count()
			require.Len(t, all, messages+1)
			var delivered, refused int64
			for i, m := range all {
				assert.Equal(t, m.size, m.delivered+m.refused)
				assert.Equal(t, 10, m.recipients)
				assert.InDelta(t, m.size, m.weights+m.lateWeights, 1e-6)
				delivered, refused = delivered+m.delivered, refused+m.refused
				switch {
				case i < messages-1:
					assert.EqualValues(t, clients, m.delivered)
				case i == messages-1:
					assert.EqualValues(t, clients-slow, m.delivered, "the slow clients have no room")
					assert.EqualValues(t, slow, m.refused)
				case name == "sharded": // Those that are dropped have not left yet.
					assert.EqualValues(t, clients-slow, m.delivered)
					assert.EqualValues(t, slow, m.refused)
				default:
					assert.EqualValues(t, clients-slow, m.size, "the slow clients are gone")
				}
			}
			stats := c.chat.Stats()
			assert.EqualValues(t, delivered, stats.Delivered)
			assert.EqualValues(t, refused, stats.Refused)
			assert.Zero(t, stats.Unreached+stats.Unplanned)
			assert.EqualValues(t, (messages+1)*(clients-slow), c.fast.Load())
		})
	}
}

// A client that is dropped has a late span, if it is sampled.
func TestSlowClientsHaveLateSpans(t *testing.T) {
	for name, run := range runs {
		t.Run(name, func(t *testing.T) {
			c := gather(t, 10, 3, run, fanout.WithSampling(sampling.GroupConfig{Curve: sampling.Always()}))
			messages := c.flood()
			c.end()
			all := c.count()
			require.Len(t, all, messages)
			for _, m := range all[:messages-1] {
				assert.Empty(t, m.late)
			}
			assert.Equal(t, []string{"refused_full", "refused_full", "refused_full"}, all[messages-1].late)
		})
	}
}

// Clients come and go while messages are sent, and nothing is counted twice.
func TestClientsComeAndGo(t *testing.T) {
	for name, run := range runs {
		t.Run(name, func(t *testing.T) {
			c := gather(t, 200, 0, run)
			c.got.Add(200 * 200) // At most; nobody waits for them.
			var pending sync.WaitGroup
			for i, client := range c.clients {
				pending.Go(func() {
					if i%2 == 0 {
						select {
						case client.says <- []byte("bye"):
						case <-client.closed: // It was too slow.
						}
					}
					_ = client.Close(nil)
				})
			}
			pending.Wait()
			c.stop()
			c.running.Wait()
			for _, m := range c.count() {
				assert.Equal(t, m.size, m.delivered+m.refused)
				assert.InDelta(t, m.size, m.weights+m.lateWeights, 1e-6*float64(m.size)+1e-6)
			}
			assert.Zero(t, c.chat.Stats().Unreached+c.chat.Stats().Unplanned)
			assert.Zero(t, c.recorder.Open())
		})
	}
}
