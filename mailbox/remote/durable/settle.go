// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"encoding/json"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/mailbox"
)

// What the server is answered; see the reference of JetStream.
var (
	ackHandled    = []byte("+ACK")
	ackAgain      = []byte("-NAK")
	ackProgress   = []byte("+WPI")
	ackTerminated = []byte("+TERM")
)

// handled acknowledges d, whose handler has returned nil. If it was handed back meanwhile, that
// may still keep it from being delivered again.
func (c *Consumer[M]) handled(d *delivery[M]) {
	_, mine := c.settle(d)
	c.answer(d, ackHandled)
	if mine {
		c.release(d, &c.queue.tally.Now.Handled)
	}
}

// failed deals with d, whose handling failed, on a goroutine of its own: the caller is a worker.
func (c *Consumer[M]) failed(d *delivery[M], err error) {
	if _, mine := c.settle(d); !mine {
		return
	}
	go func() {
		if d.attempt >= c.queue.config.MaxDeliver {
			c.bury(d, reasonFailed, err)
			return
		}
		known, news := c.known(d)
		if d.span.IsSampled() {
			known, news = known.failedIn(d.span), true
		}
		if news {
			c.remember(d, known)
		}
		c.rest(d, c.queue.config.wait(d.attempt))
		c.release(d, &c.queue.tally.Now.Failed)
	}()
}

// dead deals with d, which the mailbox has taken and will not handle.
func (c *Consumer[M]) dead(d *delivery[M], err error) {
	was, mine := c.settle(d)
	if !mine {
		return
	}
	var wait time.Duration
	if errors.Is(err, mailbox.ErrDropped) { // Else it would be back at once, and drop the next.
		wait = c.queue.config.wait(1)
	} else {
		c.end(err) // The process ends: nothing is handed back before nothing comes in.
	}
	go c.giveBack(d, was, wait)
}

// giveBack hands d back, to be delivered again after that time. If its handler has not had it,
// that was no attempt.
func (c *Consumer[M]) giveBack(d *delivery[M], was phase, wait time.Duration) {
	if c.sending.Err() != nil { // Nothing else comes in soon, so that d does not come back here.
		select {
		case <-c.pulled:
		case <-c.ctx.Done():
		}
	}
	known, news := c.known(d)
	if was == waiting {
		known.Returned++
		news = true
	}
	if news {
		c.remember(d, known)
	}
	c.rest(d, wait)
	c.release(d, &c.queue.tally.Now.Returned)
}

// known returns what is known of the deliveries of d until now, and whether that is more than
// it was when d came.
func (c *Consumer[M]) known(d *delivery[M]) (known past, news bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known = d.earlier
	known.Returned += d.repeated
	return known, d.repeated > 0
}

// rest has the server deliver d again after that time.
func (c *Consumer[M]) rest(d *delivery[M], wait time.Duration) {
	text := ackAgain
	if wait > 0 {
		delay, err := json.Marshal(struct {
			Delay time.Duration `json:"delay"`
		}{wait})
		if err == nil {
			text = append(append([]byte{}, ackAgain...), ' ')
			text = append(text, delay...)
		}
	}
	c.mu.Lock()
	if d.phase == settling {
		d.phase = again
	}
	c.mu.Unlock()
	c.answer(d, text)
}

// answer tells the server what became of d.
func (c *Consumer[M]) answer(d *delivery[M], text []byte) {
	c.mu.Lock()
	reply := d.msg.Reply
	c.mu.Unlock()
	c.publish(reply, text)
}

func (c *Consumer[M]) publish(reply string, text []byte) {
	if err := c.conn.Publish(reply, text); err != nil {
		atomic.AddUint64(&c.queue.tally.Now.AckErrors, 1)
		c.queue.tell(slog.LevelWarn, "the server cannot be told", err)
	}
}
