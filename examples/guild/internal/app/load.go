// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	realClients  = 10               // sessions with a WebSocket connection, if there are so many
	deliveryTime = 30 * time.Second // how long the last message may take to reach everybody
	postTime     = 30 * time.Second // how long one post may take
)

// load connects the sessions and sends the posts.
type load struct {
	c        Config
	services *services
	clients  *clients
	http     *http.Client
	out      io.Writer
	inGuild  []int64 // sessions by guild, from index 1
}

func newLoad(ctx context.Context, c Config, s *services, out io.Writer) *load {
	return &load{
		c: c, services: s, out: out,
		clients: newClients(ctx),
		http:    &http.Client{Timeout: postTime, Transport: &http.Transport{}},
		inGuild: make([]int64, c.Guilds+1),
	}
}

// connect connects the sessions, spread over the guilds.
func (l *load) connect(ctx context.Context) error {
	progress := newProgress(l.out, "connecting sessions", l.c.Sessions)
	for i := range l.c.Sessions {
		guild := i%l.c.Guilds + 1
		var err error
		if i < realClients {
			err = l.clients.dial(l.services.wsAddr, guild)
		} else {
			err = l.services.sessions.Simulate(ctx, int64(guild))
		}
		if err != nil {
			return err
		}
		l.inGuild[guild]++
		progress.at(i + 1)
	}
	return l.services.waitForSessions(ctx, l.c.Sessions)
}

// post sends the posts one after another, spread over the guilds, and waits
// until every session has got all of its guild's.
func (l *load) post(ctx context.Context) error {
	progress := newProgress(l.out, "sending posts", l.c.Posts)
	expected := l.services.sessions.Tally.Counts().Delivered
	for i := range l.c.Posts {
		guild := i%l.c.Guilds + 1
		if err := l.send(ctx, guild, fmt.Sprintf("message %d of the run", i+1)); err != nil {
			return err
		}
		expected += l.inGuild[guild]
		progress.at(i + 1)
	}
	ctx, cancel := context.WithTimeout(ctx, deliveryTime)
	defer cancel()
	if err := l.services.sessions.Tally.WaitFor(ctx, expected); err != nil {
		return fmt.Errorf("%d of %d deliveries were missing: %w",
			expected-l.services.sessions.Tally.Counts().Delivered, expected, err)
	}
	if n := l.services.sessions.Tally.Counts(); n.Missed+n.Repeated > 0 {
		return fmt.Errorf("sessions missed %d messages and got %d out of order", n.Missed, n.Repeated)
	}
	return nil
}

func (l *load) send(ctx context.Context, guild int, content string) error {
	body, err := json.Marshal(map[string]string{"author": "load", "content": content})
	if err != nil {
		return err
	}
	url := fmt.Sprintf("http://%s/guilds/%d/messages", l.services.apiAddr, guild)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := l.http.Do(req)
	if err != nil {
		return fmt.Errorf("send a post: %w", err)
	}
	answer, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return fmt.Errorf("send a post: %w", err)
	}
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("send a post: %s: %s", resp.Status, bytes.TrimSpace(answer))
	}
	return nil
}

// close disconnects the clients.
func (l *load) close() error {
	l.http.CloseIdleConnections()
	return l.clients.close()
}
