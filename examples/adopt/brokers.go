// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagate"
)

const unsampled = "unsampled" // the name of what arrives in a trace that is not sampled

// publish calls send in a request. send writes the headers of a message and sends it.
func publish(ctx context.Context, name, what string, send func(context.Context) error) error {
	if what == unsampled {
		ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1},
		}))
	}
	return request(ctx, name, what, send)
}

func inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	propagate.SampledFirst{}.Inject(ctx, carrier)
}

func (s *scene) nats(ctx context.Context) error {
	broker, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	if err != nil {
		return err
	}
	broker.Start()
	defer broker.WaitForShutdown()
	defer broker.Shutdown()
	if !broker.ReadyForConnections(time.Minute) {
		return errors.New("the broker does not start")
	}
	conn, err := nats.Connect(broker.ClientURL())
	if err != nil {
		return err
	}
	defer conn.Close()

	names := []string{"cup", untraced, unsampled, broken}
	var left sync.WaitGroup
	left.Add(len(names))
	o, err := s.shop.startOrders(ctx, conn, 2, func(ctx context.Context, order string) error {
		defer left.Done()
		work(ctx, "UPDATE stock")
		s.did("ship %s", order)
		return errOf(order)
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		err = errors.Join(err, publish(ctx, "POST order", name, func(ctx context.Context) error {
			m := nats.NewMsg("orders")
			m.Data = []byte(name)
			inject(ctx, propagate.MetadataCarrier(m.Header))
			return conn.PublishMsg(m)
		}))
	}
	if err == nil {
		left.Wait()
	}
	return errors.Join(err, o.Close())
}

const topic = "payments"

func (s *scene) kafka(ctx context.Context) error {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, topic))
	if err != nil {
		return err
	}
	defer cluster.Close()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(cluster.ListenAddrs()...),
		kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ConsumerGroup("billing"),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.AutoCommitMarks(),
	)
	if err != nil {
		return err
	}
	defer client.Close()

	names := []string{"cup", "plate", untraced, unsampled}
	var left sync.WaitGroup
	left.Add(len(names))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- s.shop.payments(ctx, client, 2, func(ctx context.Context, payment []byte) error {
			work(ctx, "INSERT payment")
			s.did("book %s", payment)
			if err := errOf(string(payment)); err != nil {
				return err
			}
			left.Done()
			return nil
		})
	}()
	for i, name := range append(names, broken) {
		if name == broken { // It ends the consumer.
			left.Wait()
		}
		err = errors.Join(err, publish(ctx, "POST payment", name, func(ctx context.Context) error {
			record := kgo.StringRecord(name)
			record.Partition = int32(i % 2)
			inject(ctx, recordHeaders(&record.Headers))
			return client.ProduceSync(ctx, record).FirstErr()
		}))
		if err != nil {
			stop()
			return errors.Join(err, <-ended)
		}
	}
	s.did("payments: %v", <-ended)
	if err := client.CommitMarkedOffsets(ctx); err != nil {
		return err
	}
	for partition, offset := range client.CommittedOffsets()[topic] {
		s.did("partition %d is booked up to %d", partition, offset.Offset)
	}
	return nil
}

var recordHeaders = propagate.PairsCarrier(
	func(h kgo.RecordHeader) (string, []byte) { return h.Key, h.Value },
	func(key string, value []byte) kgo.RecordHeader { return kgo.RecordHeader{Key: key, Value: value} },
)
