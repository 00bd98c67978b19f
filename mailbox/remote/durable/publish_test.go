// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"context"
	"errors"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/mailbox/remote/durable"
)

// A message that is published twice with one ID is stored once.
func TestPublishWithID(t *testing.T) {
	_, js := start(t)
	q := newQueue(t, js, config())
	first, err := q.Publish(t.Context(), order{1}, durable.WithID("a"))
	require.NoError(t, err)
	again, err := q.Publish(t.Context(), order{1}, durable.WithID("a"), nil)
	require.NoError(t, err)
	assert.False(t, first.Duplicate)
	assert.True(t, again.Duplicate)
	assert.Equal(t, first.Sequence, again.Sequence)
	assert.Equal(t, "ORDERS", first.Stream)
}

// What no header can hold is left out, and counted if the message was published.
func TestBaggageThatDoesNotFit(t *testing.T) {
	_, js := start(t)
	q := newQueue(t, js, config())
	m, err := baggage.NewMemberRaw("größe", "7")
	require.NoError(t, err)
	bag, err := baggage.New(m)
	require.NoError(t, err)
	ctx := baggage.ContextWithBaggage(t.Context(), bag)
	_, err = q.Publish(ctx, order{1})
	require.NoError(t, err)
	assert.Equal(t, durable.Stats{Published: 1, Cut: 1}, q.Stats())

	require.NoError(t, js.DeleteStream(t.Context(), "ORDERS"))
	_, err = q.Publish(ctx, order{2})
	require.ErrorIs(t, err, durable.ErrConfig)
	assert.Equal(t, durable.Stats{Published: 1, PublishFailed: 1, Cut: 1}, q.Stats())
}

// Publish waits for a server that is away, and the message is stored once.
func TestPublishWaitsForTheServer(t *testing.T) {
	server, js := start(t)
	q := newQueue(t, js, config())
	publish(t, q, 0)
	server.Stop()

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := q.Publish(ctx, order{1})
	require.ErrorIs(t, err, context.DeadlineExceeded)

	result := make(chan error, 1)
	go func() {
		_, err := q.Publish(t.Context(), order{2}, durable.WithID("two"))
		result <- err
	}()
	select {
	case err := <-result:
		require.Fail(t, "it returned without a server", "%v", err)
	case <-time.After(50 * time.Millisecond):
	}
	server.Restart(t)
	require.NoError(t, <-result)
	stream, err := js.Stream(t.Context(), "ORDERS")
	require.NoError(t, err)
	stored := 0
	for seq := range stream.CachedInfo().State.LastSeq {
		msg, err := stream.GetMsg(t.Context(), seq+1)
		require.NoError(t, err)
		if msg.Header.Get("Nats-Msg-Id") == "two" {
			stored++
		}
	}
	assert.Equal(t, 1, stored)
	assert.Equal(t, uint64(1), q.Stats().PublishFailed)
	assert.Equal(t, uint64(2), q.Stats().Published)
}

// What can never be published is an error at once.
func TestPublishRefuses(t *testing.T) {
	_, js := start(t)
	c := config()
	c.MaxMessage = 100
	bytes := durable.Config[string]{Stream: c.Stream, Subject: "orders", MaxMessage: 100, Codec: wire.BytesCodec[string]()}
	q, err := durable.New(js, bytes)
	require.NoError(t, err)
	_, err = q.Publish(t.Context(), strings.Repeat("x", 101))
	require.ErrorIs(t, err, durable.ErrOversized)
	_, err = q.Publish(t.Context(), strings.Repeat("x", 100))
	require.NoError(t, err)

	_, err = q.Publish(t.Context(), "x", durable.WithSubject("other"))
	require.ErrorIs(t, err, durable.ErrConfig)
	_, err = q.Publish(t.Context(), "x", durable.WithSubject("orders.>"))
	require.ErrorIs(t, err, durable.ErrConfig)

	bytes.Subject = "nobody.*"
	q, err = durable.New(js, bytes)
	require.NoError(t, err)
	_, err = q.Publish(t.Context(), "x", durable.WithSubject("nobody.stores"))
	require.ErrorIs(t, err, durable.ErrConfig)

	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"nobody.*"}})
	require.NoError(t, err)
	_, err = q.Publish(t.Context(), "x", durable.WithSubject("nobody.stores"))
	var api *jetstream.APIError
	require.ErrorAs(t, err, &api, "another stream has it")

	for _, codec := range []wire.Codec[order]{badCodec{}, badCodec{panics: true}, badCodec{exits: true}} {
		c.Codec = codec
		_, err = newQueue(t, js, c).Publish(t.Context(), order{})
		require.ErrorIs(t, err, wire.ErrCodec)
	}
}

// badCodec fails in both directions.
type badCodec struct{ panics, exits bool }

func (c badCodec) Append([]byte, order) ([]byte, error) { return nil, c.fail() }
func (c badCodec) Decode([]byte) (order, error)         { return order{}, c.fail() }

func (c badCodec) fail() error {
	if c.panics {
		panic("bad")
	}
	if c.exits {
		runtime.Goexit()
	}
	return errors.New("bad")
}

// A configuration that makes no sense is refused, and so is one that the server does not have.
func TestConfig(t *testing.T) {
	_, js := start(t)
	for name, change := range map[string]func(*durable.Config[order]){
		"no stream":          func(c *durable.Config[order]) { c.Stream = "" },
		"no subject":         func(c *durable.Config[order]) { c.Subject = "" },
		"an empty token":     func(c *durable.Config[order]) { c.Subject = "a..b" },
		"a hidden wildcard":  func(c *durable.Config[order]) { c.Subject = "a.>.b" },
		"a space":            func(c *durable.Config[order]) { c.Subject = "a b" },
		"negative limit":     func(c *durable.Config[order]) { c.MaxDeliver = -1 },
		"much held":          func(c *durable.Config[order]) { c.MaxHeld = 1 << 20 },
		"more held":          func(c *durable.Config[order]) { c.MaxHeld, c.MaxAckPending = 10, 5 },
		"a short AckWait":    func(c *durable.Config[order]) { c.AckWait = time.Millisecond },
		"a negative AckWait": func(c *durable.Config[order]) { c.AckWait = -1 },
		"a negative rest":    func(c *durable.Config[order]) { c.Backoff = []time.Duration{-1} },
	} {
		c := config()
		change(&c)
		_, err := durable.New(js, c)
		require.ErrorIs(t, err, durable.ErrConfig, name)
	}
	_, err := durable.New(nil, config())
	require.ErrorIs(t, err, durable.ErrConfig)
	require.Panics(t, func() { durable.Handler[order](nil) })

	for name, change := range map[string]func(*durable.Config[order]){
		"no consumer":         func(c *durable.Config[order]) { c.Consumer = "" },
		"no dead letters":     func(c *durable.Config[order]) { c.DeadLetter = "" },
		"a wildcard":          func(c *durable.Config[order]) { c.DeadLetter = "dead.>" },
		"consumes itself":     func(c *durable.Config[order]) { c.DeadLetter = "orders" },
		"consumes itself too": func(c *durable.Config[order]) { c.Subject, c.DeadLetter = "dead.*", "dead.orders" },
		"nobody stores them":  func(c *durable.Config[order]) { c.DeadLetter = "nowhere" },
		"no such stream":      func(c *durable.Config[order]) { c.Stream = "NONE" },
	} {
		c := config()
		change(&c)
		_, err := newQueue(t, js, c).Consume(t.Context(), ref(t))
		require.Error(t, err, name)
		if c.Stream != "NONE" {
			require.ErrorIs(t, err, durable.ErrConfig, name)
		}
	}
}

// docs/metrics.md says of each metric what it says itself.
func TestThePageListsEveryMetricOnce(t *testing.T) {
	_, js := start(t)
	reader := sdkmetric.NewManualReader()
	registration, err := newQueue(t, js, config()).RegisterMetrics(
		sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"))
	require.NoError(t, err)
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	var made []string
	for _, m := range all.ScopeMetrics[0].Metrics {
		value := "grows"
		if !m.Data.(metricdata.Sum[int64]).IsMonotonic {
			value = "rises and falls"
		}
		made = append(made, "| `"+m.Name+"` | "+value+" | `"+m.Unit+"` | "+m.Description+" |")
	}
	page, err := os.ReadFile("../../../docs/metrics.md")
	require.NoError(t, err)
	listed := regexp.MustCompile("(?m)^\\| `waybill\\.durable\\..*$").FindAllString(string(page), -1)
	assert.ElementsMatch(t, made, listed)
	require.NoError(t, registration.Unregister())
}
