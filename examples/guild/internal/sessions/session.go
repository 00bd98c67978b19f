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

// batch is how many messages are read from the history at a time. Each session that catches
// up holds them until its client has taken them.
const batch = 20

// session is one client's session. It belongs to who starts it, then to its
// process.
type session struct {
	service *Service
	guild   int64
	number  int64 // its own, which the ID of its process ends with
	client  mailbox.Handler[chat.Event]
	last    int64  // number of the latest message that the client has
	track   *Track // nil until the client is told where it begins
	early   int64  // number of the latest message that came before that
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
		n := int64(batch)
		if c.service.lossy { // No further, since what is sent to the session has its trace.
			n = min(n, last-c.last)
		}
		messages, err := c.service.history.Messages(ctx, c.guild, c.last, int(n))
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
	for i, m := range messages {
		messages[i] = nil      // Not to be held while the client takes the others.
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
		err = c.join(ctx, e.Last)
	case *chat.MessageCreate:
		err = c.forward(ctx, e)
	case *chat.Head:
		err = c.reach(ctx, e.Seq)
	}
	return c.service.ended(ctx, err)
}

// join takes note that the session is in its guild, and is sent all messages after number
// last. Where messages are lossy, some of them may have come before it knew.
func (c *session) join(ctx context.Context, last int64) error {
	c.service.connected.Add(1)
	if c.track == nil {
		if err := c.begin(ctx, last, 0); err != nil {
			return err
		}
	}
	return c.catchUp(ctx, max(last, c.early))
}

// reach has the client get what it lacks up to number seq, or ends the session.
func (c *session) reach(ctx context.Context, seq int64) error {
	switch {
	case c.track == nil:
		c.early = max(c.early, seq)
	case seq <= c.last:
	case c.service.lossy:
		return c.catchUp(ctx, seq)
	default:
		return fmt.Errorf("%w: its mailbox could not take message %d", chat.ErrBehind, c.last+1)
	}
	return nil
}

// forward hands the client a message that was sent to the session. Messages come
// in order; but the client may have some of the first ones from the history, and
// what the mailbox could not take, or was lost on its way, is missing.
func (c *session) forward(ctx context.Context, m *chat.MessageCreate) error {
	if c.track == nil {
		c.early = max(c.early, m.Seq)
		return nil
	}
	if err := c.reach(ctx, m.Seq-1); err != nil {
		return err
	}
	if m.Seq <= c.last {
		return nil
	}
	begun := time.Now()
	c.service.trouble.AtSession(ctx, c.guild, c.number)
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
