// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

const topic = "greetings"

var recordHeaders = propagate.PairsCarrier(
	func(h kgo.RecordHeader) (string, []byte) { return h.Key, h.Value },
	func(key string, value []byte) kgo.RecordHeader { return kgo.RecordHeader{Key: key, Value: value} },
)

func connectKafka(t *testing.T) *kgo.Client {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(
		kgo.SeedBrokers(cluster.ListenAddrs()...),
		kgo.DefaultProduceTopic(topic),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// poll waits for records that are there already or on their way.
func poll(t *testing.T, client *kgo.Client, most int) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	fetches := client.PollRecords(ctx, most)
	require.NoError(t, fetches.Err())
	return fetches.Records()
}

func produce(t *testing.T, client *kgo.Client, records ...*kgo.Record) {
	t.Helper()
	require.NoError(t, client.ProduceSync(t.Context(), records...).FirstErr())
}

// openKafka produces and consumes one record at a time.
func openKafka(t *testing.T, s *site) wire {
	client := connectKafka(t)
	consume := func() {
		for _, record := range poll(t, client, 1) {
			ctx := s.propagator.Extract(context.Background(), recordHeaders(&record.Headers))
			ctx, span := s.tracer().Start(ctx, "process "+topic, trace.WithSpanKind(trace.SpanKindConsumer))
			s.arrive(ctx, string(record.Value))
			span.End()
		}
	}
	return wire{
		send: func(ctx context.Context, body string) {
			record := kgo.StringRecord(body)
			for _, h := range leftovers {
				record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.key, Value: []byte(h.value)})
			}
			ctx, span := s.tracer().Start(ctx, "send "+topic, trace.WithSpanKind(trace.SpanKindProducer))
			s.propagator.Inject(ctx, recordHeaders(&record.Headers))
			produce(t, client, record)
			span.End()
			consume()
		},
		sendRaw: func(body string, headers ...pair) {
			record := kgo.StringRecord(body)
			for _, h := range headers {
				record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.key, Value: []byte(h.value)})
			}
			produce(t, client, record)
			consume()
		},
	}
}

// A batch has many parents, so its span is a root that links to each of them.
// What arrived without a context, or a malformed one, is part of the batch too.
func TestKafkaBatchLinksToEachMessage(t *testing.T) {
	p := propagate.SampledFirst{Counters: new(propagate.Counters)}
	s := newSite(t, p)
	client := connectKafka(t)
	var records []*kgo.Record
	var want []trace.SpanContext
	for _, body := range []string{"a", "b", "c"} {
		ctx, span := s.tracer().Start(t.Context(), "send "+body)
		record := kgo.StringRecord(body)
		p.Inject(ctx, recordHeaders(&record.Headers))
		records, want = append(records, record), append(want, span.SpanContext().WithRemote(true))
		span.End()
	}
	malformed := kgo.StringRecord("malformed")
	malformed.Headers = []kgo.RecordHeader{{Key: "traceparent", Value: []byte("?")}}
	produce(t, client, append(records, kgo.StringRecord("bare"), malformed)...)

	var bodies []string
	var links []trace.Link
	for len(bodies) < 5 { // The broker may hand them over in parts.
		for _, record := range poll(t, client, 10) {
			bodies = append(bodies, string(record.Value))
			ctx := p.Extract(context.Background(), recordHeaders(&record.Headers))
			if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
				links = append(links, trace.Link{SpanContext: sc})
			}
		}
	}
	_, span := s.tracer().Start(t.Context(), "process batch", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(links...))
	span.End()

	assert.Equal(t, []string{"a", "b", "c", "bare", "malformed"}, bodies)
	recorded := span.(sdktrace.ReadOnlySpan)
	assert.False(t, recorded.Parent().IsValid())
	var got []trace.SpanContext
	for _, link := range recorded.Links() {
		got = append(got, link.SpanContext)
	}
	assert.Equal(t, want, got)
	assert.Equal(t, propagate.Counts{Refused: 1}, p.Counters.Counts())
}
