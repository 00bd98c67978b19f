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
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// pullExpires is how long the server keeps a request for messages. Close waits for its
	// end, because the server may send messages until then.
	pullExpires = 500 * time.Millisecond
	// pullSlack is how much later its end may come here.
	pullSlack = time.Second
	// reconnectPoll is how often a lost connection is looked at.
	reconnectPoll = 20 * time.Millisecond
	// Requests that fail are tried again after a time that grows from the first to the last.
	firstPullRetry = 50 * time.Millisecond
	lastPullRetry  = 2 * time.Second
)

var errNoAnswer = errors.New("durable: the server does not answer")

// intake is where messages come in. The package asks for them itself, because the Consume and
// Fetch of nats.go take an empty message with the header Status for one of the server's own,
// so that anybody who may publish could have a message delivered for ever, and seen by nobody.
type intake struct {
	next     string // the subject of requests
	inbox    string
	incoming chan *nats.Msg
	sub      *nats.Subscription
	requests uint64 // the puller's
}

func openIntake(js jetstream.JetStream, stream, consumer string, maxHeld int) (intake, error) {
	o := js.Options()
	prefix := "$JS.API."
	switch {
	case o.Domain != "":
		prefix = "$JS." + o.Domain + ".API."
	case o.APIPrefix != "":
		prefix = strings.TrimSuffix(o.APIPrefix, ".") + "."
	}
	in := intake{
		next:  prefix + "CONSUMER.MSG.NEXT." + stream + "." + consumer,
		inbox: js.Conn().NewInbox() + ".",
		// What one request asked for, what a lost one still brings, and what ends them.
		incoming: make(chan *nats.Msg, 2*maxHeld+16), //nolint:mnd // As it says.
	}
	var err error
	in.sub, err = js.Conn().ChanSubscribe(in.inbox+"*", in.incoming)
	return in, err
}

func (in *intake) unsubscribe() { _ = in.sub.Unsubscribe() } // It fails only if the connection is closed.

// pull takes messages until the Consumer stops.
func (c *Consumer[M]) pull() {
	for wait := firstPullRetry; ; {
		n := c.awaitRoom()
		if n == 0 || !c.awaitConnection() {
			return
		}
		err := c.request(n)
		if err == nil {
			wait = firstPullRetry
			continue
		}
		if gone := c.gone(err); gone != nil {
			c.queue.tell(slog.LevelError, "consumer ended", gone)
			c.end(gone)
			return
		}
		c.queue.tell(slog.LevelWarn, "no messages from the server", err)
		select {
		case <-c.sending.Done():
			return
		case <-time.After(wait):
			wait = min(2*wait, lastPullRetry)
		}
	}
}

// awaitRoom waits until half of what may be held is free, so that one request asks for much.
// It returns how much is free, and 0 if the Consumer has stopped.
func (c *Consumer[M]) awaitRoom() int {
	limit := c.queue.config.MaxHeld
	for c.sending.Err() == nil {
		c.mu.Lock()
		free := limit - len(c.held)
		c.mu.Unlock()
		if free >= (limit+1)/2 {
			return free
		}
		select {
		case <-c.room:
		case <-c.sending.Done():
		}
	}
	return 0
}

// awaitConnection reports whether there is a connection, and waits for one. A request that is
// made without one would be sent later, together with others.
func (c *Consumer[M]) awaitConnection() bool {
	for !c.conn.IsConnected() {
		if c.conn.IsClosed() {
			c.end(nats.ErrConnectionClosed)
			return false
		}
		select {
		case <-c.sending.Done():
			return false
		case <-time.After(reconnectPoll):
		}
	}
	return true
}

// request asks for n messages and takes them, until all are here or the request has ended.
func (c *Consumer[M]) request(n int) error {
	c.requests++
	reply := c.inbox + strconv.FormatUint(c.requests, 10)
	ask, err := json.Marshal(struct {
		Batch   int           `json:"batch"`
		Expires time.Duration `json:"expires"`
	}{n, pullExpires})
	if err != nil {
		return err
	}
	if err := c.conn.PublishRequest(c.next, reply, ask); err != nil {
		return err
	}
	timeout := time.NewTimer(pullExpires + pullSlack)
	defer timeout.Stop()
	for n > 0 {
		select {
		case msg := <-c.incoming:
			if !strings.HasPrefix(msg.Subject, c.inbox) {
				c.take(msg)
				n--
			} else if msg.Subject == reply { // Those of older requests mean nothing now.
				return statusError(msg)
			}
		case <-timeout.C:
			return errNoAnswer
		case <-c.abandon:
			c.takeRest()
			return nil
		}
	}
	return nil
}

// takeRest takes what has come already, to hand it back.
func (c *Consumer[M]) takeRest() {
	for {
		select {
		case msg := <-c.incoming:
			if !strings.HasPrefix(msg.Subject, c.inbox) {
				c.take(msg)
			}
		default:
			return
		}
	}
}

// statusError returns what the server says of a request that has ended: nil if it is over.
func statusError(msg *nats.Msg) error {
	switch status := msg.Header.Get("Status"); status {
	case "404", "408":
		return nil
	case "503":
		return nats.ErrNoResponders
	default:
		return fmt.Errorf("status %q: %q", status, cut(msg.Header.Get("Description"), maxErrorText))
	}
}

// gone returns an error if the server does not have the consumer any more. It is not made
// again: a new one would deliver all messages of the stream once more.
func (c *Consumer[M]) gone(because error) error {
	if c.conn.IsClosed() {
		return nats.ErrConnectionClosed
	}
	ctx, cancel := context.WithTimeout(c.sending, requestTimeout)
	defer cancel()
	_, err := c.queue.js.Consumer(ctx, c.queue.config.Stream, c.queue.config.Consumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("durable: %w (%w)", err, because)
	}
	return nil
}
