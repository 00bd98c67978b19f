// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/mailbox/remote/internal/subject"
)

var (
	// ErrConfig means that a [Config] makes no sense, or that the server does not have what
	// it names.
	ErrConfig = errors.New("durable: misconfigured")
	// ErrOversized means that a message has more bytes than MaxMessage of its [Config].
	ErrOversized = errors.New("durable: message above the limit")
	// ErrClosed means that the [Consumer] was closed before it was done with its messages.
	ErrClosed = errors.New("durable: closed")
)

// Config says where messages of type M are stored, how they are written, and how they are
// delivered. A field that is zero means the default. All programs that share a consumer
// should have the same Config.
type Config[M any] struct {
	// Stream is the name of the stream. It must exist: how long it keeps messages, where,
	// and in how many copies is for you to say. It has no default.
	Stream string
	// Subject is where messages are published, and which messages of the stream are consumed.
	// It may have wildcards; then each Publish needs [WithSubject]. It has no default.
	Subject string
	// Consumer is the name of the durable consumer, which the first Consume makes. Programs
	// with the same one share its messages. It has no default, and Publish does not need it.
	Consumer string
	// DeadLetter is where messages go that are given up. A stream must store it, which may be
	// the same one if Subject does not match it. It has no default, and Publish does not need
	// it.
	DeadLetter string
	// Codec reads and writes messages. The default is [wire.JSONCodec].
	Codec wire.Codec[M]
	// MaxDeliver is how many times a message is given to a handler, 5 by default.
	MaxDeliver int
	// AckWait is after which time without a sign of life the server takes a program for gone
	// and delivers its messages to another one; 30 s by default, and at least 100 ms. It does
	// not limit how long a handling takes: a program that lives asks for more time.
	AckWait time.Duration
	// Backoff is how long a message rests after its first failure, its second, and so on. The
	// last one goes for all that follow. The default is 1 s, 5 s, 30 s, 2 min.
	Backoff []time.Duration
	// MaxHeld is how many messages one [Consumer] has taken at most and is not done with, in
	// the mailbox or on their way there; 256 by default, at most 65,536. A mailbox holds
	// 1,024 by default ([mailbox.WithCapacity]). If it is full, the Consumer waits, and takes
	// no more.
	MaxHeld int
	// MaxAckPending is how many messages all programs with this Consumer have taken or are
	// resting after a failure; 10,000 by default. If there are so many, the server delivers
	// no others.
	MaxAckPending int
	// MaxMessage is the size of the largest message, in bytes, without its headers. Publish
	// refuses a larger one, and one that arrives is a dead letter. The default is 8 KiB less
	// than the 1 MiB that a server takes by default, because a dead letter has more headers.
	MaxMessage int
	// MaxHeader is the size of the largest headers that are read, in bytes; 16 KiB by
	// default. Beyond it, a message belongs to no trace.
	MaxHeader int
	// Carry says what a message takes along from its sender's context.
	Carry envelope.CarryPolicy
	// Boundary decides what is believed of the traces and the baggage of messages that come in:
	// see package propagate and its Boundary. Set it where strangers can publish. Without it,
	// all are believed, within bounds.
	Boundary propagation.TextMapPropagator
	// TracerProvider makes the spans of dead letters that no handler had: each is below its
	// publisher's span, if that was traced. Nil means the provider that is the global one when
	// a span starts.
	TracerProvider trace.TracerProvider
	// Bucket is the name of a key-value store in which programs tell each other why a message
	// is delivered again: about 100 bytes for each such message, for a day. It is made if it
	// does not exist. The default is waybill_redelivery.
	Bucket string
	// Logger is told of dead letters and of what goes wrong, once a second at most for each
	// reason. The default is [slog.Default].
	Logger *slog.Logger
}

const (
	defaultMaxDeliver    = 5
	defaultAckWait       = 30 * time.Second
	minAckWait           = 100 * time.Millisecond
	defaultMaxHeld       = 256
	maxMaxHeld           = 1 << 16
	defaultMaxAckPending = 10_000
	defaultMaxMessage    = 1<<20 - 8<<10
	defaultMaxHeader     = 16 << 10
	defaultBucket        = "waybill_redelivery"
)

var defaultBackoff = []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute}

// withDefaults returns c with its defaults, or an error that wraps ErrConfig.
func (c Config[M]) withDefaults() (Config[M], error) {
	c.MaxDeliver = cmp.Or(c.MaxDeliver, defaultMaxDeliver)
	c.AckWait = cmp.Or(c.AckWait, defaultAckWait)
	c.MaxHeld = cmp.Or(c.MaxHeld, defaultMaxHeld)
	c.MaxAckPending = cmp.Or(c.MaxAckPending, max(defaultMaxAckPending, c.MaxHeld))
	c.MaxMessage = cmp.Or(c.MaxMessage, defaultMaxMessage)
	c.MaxHeader = cmp.Or(c.MaxHeader, defaultMaxHeader)
	c.Bucket = cmp.Or(c.Bucket, defaultBucket)
	if c.Backoff = slices.Clone(c.Backoff); len(c.Backoff) == 0 {
		c.Backoff = defaultBackoff
	}
	if c.Codec == nil {
		c.Codec = wire.JSONCodec[M]()
	}
	switch {
	case c.Stream == "":
		return c, fmt.Errorf("%w: no stream", ErrConfig)
	case c.MaxDeliver < 0, c.MaxHeld < 0, c.MaxHeld > maxMaxHeld, c.MaxAckPending < c.MaxHeld, c.MaxMessage < 0, c.MaxHeader < 0:
		return c, fmt.Errorf("%w: a limit of %+v", ErrConfig, []int{c.MaxDeliver, c.MaxHeld, c.MaxAckPending, c.MaxMessage, c.MaxHeader})
	case c.AckWait < minAckWait:
		return c, fmt.Errorf("%w: AckWait %v", ErrConfig, c.AckWait)
	case slices.Min(c.Backoff) < 0:
		return c, fmt.Errorf("%w: Backoff %v", ErrConfig, c.Backoff)
	}
	if err := checkFilter(c.Subject); err != nil {
		return c, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return c, nil
}

// checkConsuming returns an error unless c says all that it takes to consume.
func (c *Config[M]) checkConsuming() error {
	if c.Consumer == "" {
		return fmt.Errorf("%w: no consumer", ErrConfig)
	}
	if err := subject.Check(c.DeadLetter); err != nil {
		return fmt.Errorf("%w: dead letters: %w", ErrConfig, err)
	}
	if matches(c.Subject, c.DeadLetter) {
		return fmt.Errorf("%w: dead letters to %q would be consumed from %q", ErrConfig, c.DeadLetter, c.Subject)
	}
	return nil
}

// checkFilter is subject.Check for subjects with wildcards.
func checkFilter(filter string) error {
	plain := strings.TrimSuffix(filter, ".>")
	tokens := strings.Split(plain, ".")
	for i, token := range tokens {
		if token == "*" {
			tokens[i] = "x"
		}
	}
	if filter == ">" {
		return nil
	}
	return subject.Check(strings.Join(tokens, "."))
}

// matches reports whether a subject without wildcards is one that filter stands for.
func matches(filter, concrete string) bool {
	pattern, tokens := strings.Split(filter, "."), strings.Split(concrete, ".")
	for i, p := range pattern {
		switch {
		case p == ">":
			return len(tokens) > i
		case i >= len(tokens), p != "*" && p != tokens[i]:
			return false
		}
	}
	return len(pattern) == len(tokens)
}

// wait returns how long a message rests after its nth failure.
func (c *Config[M]) wait(n int) time.Duration {
	return c.Backoff[min(max(n, 1), len(c.Backoff))-1]
}
