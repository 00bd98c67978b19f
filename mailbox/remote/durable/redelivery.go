// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/traceparent"
	"github.com/waybill-go/waybill/mailbox/remote/internal/subject"
)

const (
	// pastAge is how long it is remembered what happened to a message, after the last time.
	pastAge = 24 * time.Hour
	// pastBytes bounds the store: some 100,000 messages.
	pastBytes = 32 << 20
	// maxPast bounds what is read of one message, in bytes.
	maxPast = 4 << 10
	// pastTimeout is how long a look into the store may take.
	pastTimeout = 2 * time.Second
)

// past is what is known of the earlier deliveries of a message. It is in a key-value store,
// because the next delivery may be to another machine, and the server tells that one no more
// than their number. A message without failures never has one, and costs nothing.
type past struct {
	// Stored tells the message from one with the same sequence in a stream that was made
	// again, in nanoseconds.
	Stored int64 `json:"stored"`
	// Returned is how many deliveries were handed back without having been handled, or came
	// while the message was held, so they were no attempts.
	Returned uint64 `json:"returned,omitempty"`
	// Failed is the traceparent of the last handling that failed, if it was traced.
	Failed string `json:"failed,omitempty"`
	// Reason and Error say why the message is a dead letter that could not be stored yet.
	Reason reason `json:"reason,omitempty"`
	Error  string `json:"error,omitempty"`
}

// failedIn returns p with the span of a handling that failed.
func (p past) failedIn(sc trace.SpanContext) past {
	p.Failed = string(traceparent.Append(nil, sc.TraceID(), sc.SpanID(), sc.TraceFlags()))
	return p
}

// failed returns the span of the last handling that failed. It is not valid if there is none.
func (p past) failed() trace.SpanContext {
	if _, ok := traceparent.Check(p.Failed); !ok {
		return trace.SpanContext{}
	}
	return traceparent.Decode(p.Failed, trace.TraceState{})
}

// judged returns p with why the message is a dead letter.
func (p past) judged(why reason, err error) past {
	p.Reason = why
	if err != nil {
		p.Error = textOf(err)
	}
	return p
}

var errUndelivered = errors.New("durable: nobody said what became of it")

// verdict returns why a message that was delivered often enough is a dead letter.
func (p past) verdict() (reason, error) {
	if p.Reason != reasonFailed {
		return reasonUndelivered, errUndelivered
	}
	return reasonFailed, errors.New(p.Error)
}

// openPast opens the store, and makes it if there is none.
func (q *Queue[M]) openPast(ctx context.Context) (jetstream.KeyValue, error) {
	kv, err := q.js.KeyValue(ctx, q.config.Bucket)
	if !errors.Is(err, jetstream.ErrBucketNotFound) {
		return kv, err
	}
	kv, err = q.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: q.config.Bucket, Description: "why messages are delivered again",
		History: 1, TTL: pastAge, MaxBytes: pastBytes, MaxValueSize: maxPast,
	})
	if errors.Is(err, jetstream.ErrBucketExists) { // Somebody else was faster.
		return q.js.KeyValue(ctx, q.config.Bucket)
	}
	return kv, err
}

// pastKey returns the key of a message.
func (c *Consumer[M]) pastKey(d *delivery[M]) (string, error) {
	stream, err := subject.Token(c.queue.config.Stream)
	if err != nil {
		return "", err
	}
	consumer, err := subject.Token(c.queue.config.Consumer)
	if err != nil {
		return "", err
	}
	return stream + "." + consumer + "." + strconv.FormatUint(d.sequence, 10), nil
}

// remember writes what is known of d.
func (c *Consumer[M]) remember(d *delivery[M], known past) {
	known.Stored = d.stored.UnixNano()
	key, err := c.pastKey(d)
	var value []byte
	if err == nil {
		value, err = json.Marshal(known)
	}
	if err == nil {
		ctx, cancel := context.WithTimeout(c.ctx, pastTimeout)
		defer cancel()
		_, err = c.past.Put(ctx, key, value)
	}
	if err != nil {
		c.forgotten(err)
	}
}

// recall reads what is known of the earlier deliveries of d.
func (c *Consumer[M]) recall(d *delivery[M]) past {
	key, err := c.pastKey(d)
	var entry jetstream.KeyValueEntry
	if err == nil {
		ctx, cancel := context.WithTimeout(c.ctx, pastTimeout)
		defer cancel()
		entry, err = c.past.Get(ctx, key)
	}
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return past{}
	case err != nil:
		c.forgotten(err)
		return past{}
	}
	p, err := readPast(entry.Value())
	if err != nil {
		c.forgotten(err)
		return past{}
	}
	if p.Stored != d.stored.UnixNano() || p.Returned >= d.deliveries {
		return past{} // Of another message.
	}
	return p
}

// readPast reads what somebody has written into the store.
func readPast(data []byte) (p past, err error) {
	if len(data) > maxPast {
		return past{}, fmt.Errorf("%w: %d bytes", ErrOversized, len(data))
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return past{}, err
	}
	return p, nil
}

func (c *Consumer[M]) forgotten(err error) {
	atomic.AddUint64(&c.queue.tally.Now.Forgotten, 1)
	c.queue.tell(slog.LevelWarn, "what is known of a message was lost", err)
}
