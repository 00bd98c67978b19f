// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/mailbox"
)

// Live is for clients that want no messages from before they came.
const Live = -1

// batch is how many messages are read from the history at a time.
const batch = 100

// session is one client's session. It belongs to who starts it, then to its
// process.
type session struct {
	service *Service
	guild   int64
	client  mailbox.Handler[chat.Event]
	last    int64  // number of the latest message that the client has
	track   *Track // nil until the client is told where it begins
}

// begin tells the client that it will get all messages after number last.
func (c *session) begin(ctx context.Context, last, missed int64) error {
	c.last = last
	c.track = c.service.Tally.Track(last, missed)
	return c.client(ctx, &chat.Ready{Type: chat.TypeReady, Guild: c.guild, Last: last, Missed: missed})
}

// resume catches up for a client that has all messages up to number since, before
// the session is in its guild: however long that takes, no mailbox fills up.
func (c *session) resume(ctx context.Context, since int64) error {
	last, err := c.service.history.Last(ctx, c.guild)
	if err != nil {
		return err
	}
	since = min(since, last)
	messages, err := c.service.history.Messages(ctx, c.guild, since, batch)
	if err != nil {
		return err
	}
	var missed int64
	if len(messages) > 0 {
		missed = messages[0].Seq - since - 1
	}
	if err := c.begin(ctx, since+missed, missed); err != nil {
		return err
	}
	for len(messages) > 0 {
		if err := c.replay(ctx, messages); err != nil {
			return err
		}
		if messages, err = c.service.history.Messages(ctx, c.guild, c.last, batch); err != nil {
			return err
		}
	}
	return nil
}

// catchUp hands the client what it lacks up to number last.
func (c *session) catchUp(ctx context.Context, last int64) error {
	for c.last < last {
		messages, err := c.service.history.Messages(ctx, c.guild, c.last, batch)
		if err != nil {
			return err
		}
		if len(messages) == 0 {
			return fmt.Errorf("message %d is not in the history", c.last+1)
		}
		if err := c.replay(ctx, messages); err != nil {
			return err
		}
	}
	return nil
}

// replay hands the client messages from the history.
func (c *session) replay(ctx context.Context, messages []*chat.MessageCreate) error {
	for _, m := range messages {
		if m.Seq != c.last+1 { // Others have become too old meanwhile.
			return fmt.Errorf("%w: message %d is no longer stored", chat.ErrBehind, c.last+1)
		}
		if err := c.client(ctx, m); err != nil {
			return err
		}
		c.last = m.Seq
		c.track.CaughtUp(m.Seq)
	}
	return nil
}

// handle is the process's handler.
func (c *session) handle(ctx context.Context, e chat.Event) error {
	defer c.service.tellOfPanic(ctx)
	var err error
	switch e := e.(type) {
	case *chat.Joined:
		c.service.connected.Add(1)
		if c.track == nil {
			err = c.begin(ctx, e.Last, 0)
		} else {
			err = c.catchUp(ctx, e.Last)
		}
	case *chat.MessageCreate:
		err = c.forward(ctx, e)
	case *chat.Head:
		if e.Seq > c.last {
			err = fmt.Errorf("%w: its mailbox could not take message %d", chat.ErrBehind, c.last+1)
		}
	}
	return c.service.ended(ctx, err)
}

// forward hands the client a message that was sent to the session. Messages come
// in order; but the client may have some of the first ones from the history, and
// what the mailbox could not take is missing.
func (c *session) forward(ctx context.Context, m *chat.MessageCreate) error {
	switch {
	case m.Seq <= c.last:
		return nil
	case m.Seq > c.last+1:
		return fmt.Errorf("%w: its mailbox could not take message %d", chat.ErrBehind, c.last+1)
	}
	begun := time.Now()
	if err := c.client(ctx, m); err != nil {
		return err
	}
	sent, _ := mailbox.SentAt(ctx)
	c.service.Latency.Took(begun.Sub(sent), time.Since(begun))
	c.last = m.Seq
	c.track.Got(m.Seq)
	return nil
}

// ended counts a session that ends by err because of its client, and says so from
// time to time. It returns err.
func (s *Service) ended(ctx context.Context, err error) error {
	if errors.Is(err, chat.ErrBehind) {
		n := s.Tally.Behind()
		s.notices.Do(func() {
			s.log.WarnContext(ctx, "a session ended, its client may come back", slog.Any("error", err),
				slog.Int64("such sessions so far", n))
		})
	}
	return err
}
