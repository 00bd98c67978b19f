// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/internal/guard"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/internal/headers"
)

// take takes in a message that the server has delivered.
func (c *Consumer[M]) take(msg *nats.Msg) {
	tally, now := &c.queue.tally.Now, time.Now()
	meta, err := msg.Metadata()
	config := &c.queue.config
	if err != nil || meta.Stream != config.Stream || meta.Consumer != config.Consumer { // Nobody is to be told.
		atomic.AddUint64(&tally.Malformed, 1)
		return
	}
	d := &delivery[M]{
		consumer: c, msg: msg, extended: now, subject: msg.Subject,
		sequence: meta.Sequence.Stream, deliveries: meta.NumDelivered, stored: meta.Timestamp,
		attempt: clampInt(meta.NumDelivered),
	}
	if !c.hold(d) {
		atomic.AddUint64(&tally.Repeated, 1)
		return
	}
	atomic.AddUint64(&tally.Received, 1)
	if d.deliveries > 1 {
		atomic.AddUint64(&tally.Redelivered, 1)
	}
	why, err := reasonUndecodable, errCodecExited // Unless it returns; then pull begins again.
	defer func() {
		if why != "" {
			if _, mine := c.settle(d); mine {
				go c.bury(d, why, err)
			}
		}
	}()
	if why, err = c.read(d, msg, now); why != "" {
		return
	}
	if d.deliveries > 1 {
		go c.takeAgain(d)
		return
	}
	c.ready <- d // It has room for all that is held, but for what a lost request brought.
}

// takeAgain goes on with a message that was delivered before, after a look at what is known
// of that.
func (c *Consumer[M]) takeAgain(d *delivery[M]) {
	earlier := c.recall(d)
	c.mu.Lock()
	d.earlier = earlier
	d.attempt = max(d.attempt-clampInt(earlier.Returned), 1)
	c.mu.Unlock()
	if d.attempt > c.queue.config.MaxDeliver {
		if _, mine := c.settle(d); mine {
			why, err := earlier.verdict()
			c.bury(d, why, err)
		}
		return
	}
	select {
	case c.ready <- d:
	case <-c.ctx.Done():
	}
}

// read reads the headers and the message. It returns a reason if the message is a dead letter.
func (c *Consumer[M]) read(d *delivery[M], msg *nats.Msg, now time.Time) (reason, error) {
	config, tally := &c.queue.config, &c.queue.tally.Now
	var found headers.Found
	d.header, found = c.readHeader(msg, now)
	if found.Bare {
		atomic.AddUint64(&tally.Bare, 1)
	}
	if found.Malformed {
		atomic.AddUint64(&tally.Malformed, 1)
	}
	if len(msg.Data) > config.MaxMessage {
		return reasonOversized, fmt.Errorf("%w: %d bytes", ErrOversized, len(msg.Data))
	}
	var err error
	if d.message, err = decode(config.Codec, msg.Data); err != nil {
		return reasonUndecodable, err
	}
	return "", nil
}

// readHeader reads the headers. A boundary that panics or ends its goroutine believes nothing.
func (c *Consumer[M]) readHeader(msg *nats.Msg, now time.Time) (h *header.Header, found headers.Found) {
	config := &c.queue.config
	options := headers.Options{Boundary: config.Boundary, Now: now, MaxBytes: config.MaxHeader}
	if config.Boundary == nil {
		return headers.Read(msg.Header, options)
	}
	found.Malformed = true
	returns(func() {
		guard.Do(func() { h, found = headers.Read(msg.Header, options) })
	})
	return h, found
}

// decode reads a message.
func decode[M any](codec wire.Codec[M], data []byte) (message M, err error) {
	err = callCodec(func() (err error) {
		message, err = codec.Decode(data)
		return err
	})
	return message, err
}

// send passes messages on to the process, in the order in which they came, until nothing is
// left to do. When the Consumer has stopped, it hands them back.
func (c *Consumer[M]) send() {
	for {
		select {
		case d := <-c.ready:
			c.sendOne(d)
		case <-c.ctx.Done():
			return
		}
	}
}

// Where a mailbox refuses what it has no room for, it is tried again after a time that grows
// from the first to the last of these.
const (
	firstFullRetry = time.Millisecond
	lastFullRetry  = 100 * time.Millisecond
)

// sendOne passes d on, or hands it back. A mailbox that has no room may tell a tracer, and that
// may end the goroutine.
func (c *Consumer[M]) sendOne(d *delivery[M]) {
	sent, rest := false, c.queue.config.wait(1)
	defer func() {
		if sent {
			return
		}
		if was, mine := c.settle(d); mine {
			go c.giveBack(d, was, rest)
		}
	}()
	for wait := firstFullRetry; ; wait = min(2*wait, lastFullRetry) {
		err := c.sending.Err()
		if err == nil {
			err = c.to.Send(header.Arrive(c.sending, d.header), Item[M]{d})
		}
		switch {
		case err == nil:
			sent = true
			return
		case errors.Is(err, mailbox.ErrFull):
			c.queue.tell(slog.LevelWarn, "the mailbox refuses messages, and the consumer waits", err)
			select {
			case <-time.After(wait):
				continue
			case <-c.sending.Done():
			}
		case errors.Is(err, mailbox.ErrStopped):
			c.end(err)
		}
		rest = 0
		return
	}
}

// keepAlive asks for more time for what is held, until nothing is left to do.
func (c *Consumer[M]) keepAlive() {
	const (
		look  = 4 // times in AckWait
		renew = 2
	)
	ticker := time.NewTicker(c.queue.config.AckWait / look)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			for _, reply := range c.due(now.Add(-c.queue.config.AckWait / renew)) {
				c.publish(reply, ackProgress)
				atomic.AddUint64(&c.queue.tally.Now.Extended, 1)
			}
		case <-c.ctx.Done():
			return
		}
	}
}

// due returns where to answer the messages that the server last heard of before that.
func (c *Consumer[M]) due(before time.Time) (replies []string) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.held {
		if d.phase < again && d.extended.Before(before) {
			d.extended = now
			replies = append(replies, d.msg.Reply)
		}
	}
	return replies
}

func clampInt(n uint64) int {
	const most = 1 << 30
	return int(min(n, most))
}
