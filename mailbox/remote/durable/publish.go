// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/mailbox/remote/internal/headers"
	"github.com/waybill-go/waybill/mailbox/remote/internal/subject"
)

// Publishing is tried again after a time that grows from the first to the last of these.
const (
	firstRetry = 20 * time.Millisecond
	lastRetry  = time.Second
	// tryTimeout is how long one attempt may take.
	tryTimeout = 5 * time.Second
)

// PublishOption configures one [Queue.Publish].
type PublishOption interface{ applyPublish(*publishing) }

type publishOption func(*publishing)

func (o publishOption) applyPublish(p *publishing) { o(p) }

type publishing struct{ id, subject string }

// WithID gives the message an ID. The stream stores a message once if it is published again
// with the same ID within its duplicate window, which is two minutes by default. Without
// this option the ID is a random one.
func WithID(id string) PublishOption { return publishOption(func(p *publishing) { p.id = id }) }

// WithSubject publishes the message there. The subject must be one that the Subject of the
// [Config] stands for.
func WithSubject(subject string) PublishOption {
	return publishOption(func(p *publishing) { p.subject = subject })
}

// Publish stores message in the stream, with the trace and the baggage of ctx. It blocks
// until the stream has acknowledged the message, and then returns what the stream said. While
// the server cannot be reached or does not answer, it tries again until ctx ends; the message
// has an ID, so the stream stores it once, if that takes no longer than the stream's duplicate
// window.
//
// An error of a codec wraps [wire.ErrCodec]; one that is too large, [ErrOversized]; a subject
// that no stream stores, [ErrConfig]. After an error that wraps that of ctx or
// [nats.ErrConnectionClosed], the message may have been stored or not. All other errors are those
// of NATS about the last attempt: the message was not stored then. If there were others before,
// which nobody answered, one of those may have stored it.
func (q *Queue[M]) Publish(ctx context.Context, message M, opts ...PublishOption) (*jetstream.PubAck, error) {
	ctx = header.OrBackground(ctx)
	ack, err := q.publish(ctx, message, opts)
	if err != nil {
		atomic.AddUint64(&q.tally.Now.PublishFailed, 1)
		return nil, err
	}
	atomic.AddUint64(&q.tally.Now.Published, 1)
	return ack, nil
}

func (q *Queue[M]) publish(ctx context.Context, message M, opts []PublishOption) (*jetstream.PubAck, error) {
	p := publishing{subject: q.config.Subject}
	for _, o := range opts {
		if o != nil {
			o.applyPublish(&p)
		}
	}
	if err := subject.Check(p.subject); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if !matches(q.config.Subject, p.subject) {
		return nil, fmt.Errorf("%w: subject %q is none of %q", ErrConfig, p.subject, q.config.Subject)
	}
	data, err := q.encode(message)
	if err != nil {
		return nil, err
	}
	h := header.CarryPolicy(q.config.Carry).Header(ctx)
	fields, cut := headers.Write(h, nil, time.Now())
	msg := &nats.Msg{Subject: p.subject, Header: fields, Data: data}
	if p.id == "" {
		p.id = rand.Text()
	}
	ack, err := q.store(ctx, msg, p.id, q.config.Stream)
	if err == nil && cut {
		atomic.AddUint64(&q.tally.Now.Cut, 1)
	}
	return ack, err
}

// encode writes a message.
func (q *Queue[M]) encode(message M) (data []byte, err error) {
	err = errCodecExited // Unless it returns.
	returns(func() {
		err = callCodec(func() (err error) {
			data, err = q.config.Codec.Append(nil, message)
			return err
		})
	})
	if err == nil && len(data) > q.config.MaxMessage {
		err = fmt.Errorf("%w: %d bytes", ErrOversized, len(data))
	}
	return data, err
}

// store publishes msg until a stream has acknowledged it. An expected stream of "" is any.
func (q *Queue[M]) store(ctx context.Context, msg *nats.Msg, id, expected string) (*jetstream.PubAck, error) {
	opts := []jetstream.PublishOpt{jetstream.WithMsgID(id), jetstream.WithRetryAttempts(0)}
	if expected != "" {
		opts = append(opts, jetstream.WithExpectStream(expected))
	}
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		try, cancel := context.WithTimeout(ctx, tryTimeout)
		ack, err := q.js.PublishMsg(try, msg, opts...)
		cancel()
		switch {
		case err == nil:
			return ack, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("durable: %w: %w", ctx.Err(), err)
		case !passing(err):
			return nil, fmt.Errorf("durable: %w", err)
		case errors.Is(err, jetstream.ErrNoStreamResponse):
			if err := q.streamFor(ctx, msg.Subject); errors.Is(err, ErrConfig) {
				return nil, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("durable: %w: %w", ctx.Err(), err)
		case <-time.After(wait):
		}
	}
}

// streamFor returns an error that wraps ErrConfig if the server says that no stream stores
// what is published to that subject. Other errors mean that nobody knows.
func (q *Queue[M]) streamFor(ctx context.Context, concrete string) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	_, err := q.js.StreamNameBySubject(ctx, concrete)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("%w: no stream stores the subject %q: %w", ErrConfig, concrete, err)
	}
	return err
}

// passing reports whether an error of publishing may be gone at the next attempt.
func passing(err error) bool {
	for _, temporary := range []error{
		context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, jetstream.ErrNoStreamResponse,
		nats.ErrDisconnected, nats.ErrConnectionReconnecting, nats.ErrReconnectBufExceeded, nats.ErrStaleConnection,
	} {
		if errors.Is(err, temporary) {
			return true
		}
	}
	// The server says 503 of a full stream too, which does not pass by itself.
	const unavailable = 10008 // JSClusterNotAvailErr
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == unavailable
}
