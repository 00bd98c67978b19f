// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/waybill-go/waybill/internal/clock"
	"github.com/waybill-go/waybill/mailbox/internal/spans"
	"github.com/waybill-go/waybill/sampling"
)

// reason is why a message is a dead letter.
type reason string

const (
	reasonFailed      reason = "failed"
	reasonUndelivered reason = "undelivered"
	reasonUndecodable reason = "undecodable"
	reasonOversized   reason = "oversized"
)

// Headers of dead letters, beside those of the message.
const (
	// HeaderReason is why the message was given up: failed, undelivered, undecodable or
	// oversized, as [DeadLetters] counts them.
	HeaderReason = "waybill-dead-reason"
	// HeaderError is the last error, at most 1 KiB of it.
	HeaderError = "waybill-dead-error"
	// HeaderAttempts is how many attempts there were.
	HeaderAttempts = "waybill-dead-attempts"
	// HeaderSubject is the subject that the message was published to.
	HeaderSubject = "waybill-dead-subject"
	// HeaderStream, HeaderConsumer and HeaderSequence say where the message was, and which
	// one it was in its stream.
	HeaderStream   = "waybill-dead-stream"
	HeaderConsumer = "waybill-dead-consumer"
	HeaderSequence = "waybill-dead-sequence"
	// HeaderStored is when the stream stored the message, in the form of RFC 3339.
	HeaderStored = "waybill-dead-stored"
	// HeaderID is the ID that the message was published with. A dead letter has one of its
	// own, so that a stream stores it once even if it is published twice.
	HeaderID = "waybill-dead-id"
	// HeaderWithout is what the dead letter does not have of the message, because it could not
	// be stored with that: "headers", or "headers, payload". HeaderError, HeaderSubject and
	// HeaderID may be cut then.
	HeaderWithout = "waybill-dead-without"
	// HeaderSize is how many bytes the payload has, if it was left out. HeaderStream and
	// HeaderSequence say where it was.
	HeaderSize = "waybill-dead-size"
)

// Values of HeaderWithout.
const (
	withoutHeaders = "headers"
	withoutPayload = "headers, payload"
)

const (
	// maxErrorText bounds the text of an error that goes into a header, in bytes.
	maxErrorText = 1024
	// maxShortText is likewise, if a dead letter must be as small as it can be.
	maxShortText = 128
)

// bury publishes d as a dead letter, and then has the server forget it. A crash in between
// leaves both, and the next program publishes it again with the same ID. If it cannot be
// published though it is as small as it can be, it stays in the stream and that is tried again.
// The caller has claimed d.
func (c *Consumer[M]) bury(d *delivery[M], why reason, err error) {
	tally := &c.queue.tally.Now
	about := []slog.Attr{
		slog.String("reason", string(why)), slog.String("subject", d.subject),
		slog.Uint64("sequence", d.sequence), slog.Int("attempts", d.attempt),
	}
	without, failure := c.publishDead(d, why, err)
	if failure != nil {
		atomic.AddUint64(&tally.DeadLetterErrors, 1)
		c.queue.tell(slog.LevelError, "a dead letter cannot be stored", failure, about...)
		known, _ := c.known(d)
		known = known.judged(why, err)
		if d.span.IsSampled() {
			known = known.failedIn(d.span)
		}
		c.remember(d, known)
		c.rest(d, c.queue.config.wait(len(c.queue.config.Backoff)))
		c.release(d, &tally.Failed)
		return
	}
	if why != reasonFailed { // Else the handling has a span, which says so.
		m := spans.Message{Kind: c.spans, Process: c.to.ID(), Type: reflect.TypeFor[M](), Header: d.header}
		returns(func() { m.NeverHandled("dead_letter_"+string(why), clock.Now(), &sampling.KindConfig{}) }) // It tells a tracer.
	}
	c.answer(d, ackTerminated)
	if without != "" {
		about = append(about, slog.String("without", without))
		atomic.AddUint64(&tally.DeadLettersWithoutHeaders, 1)
	}
	if without == withoutPayload {
		atomic.AddUint64(&tally.DeadLettersWithoutPayload, 1)
		c.queue.tell(slog.LevelError, "a dead letter is stored without its payload", err, about...)
	}
	c.queue.tell(slog.LevelError, "dead letter", err, about...)
	c.release(d, tally.DeadLetters.of(why))
}

// publishDead publishes d as a dead letter. Whoever published the message may have made it as
// large as the server lets it be, and a dead letter has more headers. So if it does not fit, it
// is tried with less and less of the message: else that would stay for ever, and MaxAckPending
// such messages would stop the queue. The result says what was left out, as HeaderWithout does.
func (c *Consumer[M]) publishDead(d *delivery[M], why reason, err error) (without string, failure error) {
	ctx, cancel := context.WithTimeout(c.ctx, requestTimeout)
	defer cancel()
	c.mu.Lock()
	from := d.msg
	c.mu.Unlock()
	own := c.deadHeader(d, from, why, err)
	letter := &nats.Msg{Subject: c.queue.config.DeadLetter, Header: others(from.Header), Data: from.Data}
	maps.Copy(letter.Header, own)
	id := fmt.Sprintf("dead.%s.%s.%d.%d", c.queue.config.Stream, c.queue.config.Consumer, d.sequence, d.stored.UnixNano())
	_, failure = c.queue.store(ctx, letter, id, "")
	for _, reduce := range []func(){
		func() { letter.Header, without = own, withoutHeaders },
		func() { shorten(own) },
		func() { letter.Data, without = nil, withoutPayload },
	} {
		if !refusesForm(failure) {
			break
		}
		reduce()
		own[HeaderWithout] = []string{without}
		if without == withoutPayload {
			own[HeaderSize] = []string{strconv.Itoa(len(from.Data))}
		}
		_, failure = c.queue.store(ctx, letter, id, "")
	}
	return without, failure
}

// refusesForm reports whether an error of publishing is about the size or the headers of the
// message, so that another form of it may be stored.
func refusesForm(err error) bool {
	if errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrBadHeaderMsg) { // A key that no client in Go writes.
		return true
	}
	const (
		largeMessage = 10054 // JSStreamMessageExceedsMaximumErr
		largeHeader  = 10097 // JSStreamHeaderExceedsMaximumErr
		storeFailed  = 10077 // JSStreamStoreFailedF, also of a stream that is full
	)
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return false
	}
	return api.ErrorCode == largeMessage || api.ErrorCode == largeHeader ||
		api.ErrorCode == storeFailed && api.Description == "message too large"
}

// shorten cuts those of our own headers that others have a say in.
func shorten(own nats.Header) {
	for _, key := range []string{HeaderError, HeaderID, HeaderSubject} {
		if values := own[key]; len(values) > 0 {
			own[key] = []string{cut(values[0], maxShortText)}
		}
	}
}

// deadHeader says why a message is a dead letter, and where it came from.
func (c *Consumer[M]) deadHeader(d *delivery[M], from *nats.Msg, why reason, err error) nats.Header {
	h := nats.Header{
		HeaderReason:   {string(why)},
		HeaderAttempts: {strconv.Itoa(min(d.attempt, c.queue.config.MaxDeliver))},
		HeaderSubject:  {d.subject},
		HeaderStream:   {c.queue.config.Stream},
		HeaderConsumer: {c.queue.config.Consumer},
		HeaderSequence: {strconv.FormatUint(d.sequence, 10)},
		HeaderStored:   {d.stored.UTC().Format(time.RFC3339Nano)},
	}
	if err != nil {
		h[HeaderError] = []string{textOf(err)}
	}
	if id := from.Header.Get(nats.MsgIdHdr); id != "" {
		h[HeaderID] = []string{cut(id, maxErrorText)}
	}
	return h
}

// others returns a copy of the headers of a message without those that are orders to the
// server: whoever published the message could have the dead letters before it removed. Nor are
// there headers of dead letters, which a message has that was one, or that lies.
func others(from nats.Header) nats.Header {
	to := make(nats.Header, len(from))
	for key, values := range from {
		if lower := strings.ToLower(key); !strings.HasPrefix(lower, "nats-") && !strings.HasPrefix(lower, "waybill-dead-") {
			to[key] = values
		}
	}
	return to
}

// textOf returns the text of a handler's error, cut. A panic of its Error method is part of the
// text, as package fmt has it.
func textOf(err error) string {
	text := "the error has no text: its method Error called runtime.Goexit"
	returns(func() { text = cut(fmt.Sprint(err), maxErrorText) })
	return text
}

// cut returns text with at most n bytes, and with nothing that is not UTF-8.
func cut(text string, n int) string {
	text = strings.ToValidUTF8(text[:min(len(text), n+utf8.UTFMax)], "�")
	for len(text) > n {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
