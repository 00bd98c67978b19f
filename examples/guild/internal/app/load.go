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

	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
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
	sessions []int64 // by guild, from index 1
	real     []int64 // those of them that are real clients
}

func newLoad(ctx context.Context, c Config, s *services, out io.Writer) *load {
	return &load{
		c: c, services: s, out: out,
		clients:  newClients(ctx),
		http:     &http.Client{Timeout: postTime, Transport: &http.Transport{}},
		sessions: make([]int64, c.Guilds+1),
		real:     make([]int64, c.Guilds+1),
	}
}

// connect connects the sessions, spread over the guilds.
func (l *load) connect(ctx context.Context) error {
	progress := newProgress(l.out, "connecting sessions", l.c.Sessions)
	for i := range l.c.Sessions {
		guild := i%l.c.Guilds + 1
		var err error
		if i < realClients {
			err = l.clients.dial(ctx, l.services.wsAddr, guild)
			l.real[guild]++
		} else {
			err = l.services.sessions.Simulate(ctx, int64(guild), l.each(i))
		}
		if err != nil {
			return err
		}
		l.sessions[guild]++
		progress.at(i + 1)
	}
	return nil
}

// slowFor is how long a slow session takes for a message.
const slowFor = 20 * time.Millisecond

// each returns how long the i-th session takes for a message. The slow ones come
// after the real clients.
func (l *load) each(i int) time.Duration {
	if i < realClients+l.c.Slow {
		return slowFor
	}
	return 0
}

// post sends the posts one after another, spread over the guilds, and waits
// until every session has got all of its guild's.
func (l *load) post(ctx context.Context) error {
	progress := newProgress(l.out, "sending posts", l.c.Posts)
	toSessions, toClients := l.services.sessions.Tally.Counts().Delivered, int64(0)
	for i := range l.c.Posts {
		guild := i%l.c.Guilds + 1
		if err := l.send(ctx, guild, fmt.Sprintf("message %d of the run", i+1)); err != nil {
			return err
		}
		toSessions += l.sessions[guild]
		toClients += l.real[guild]
		progress.at(i + 1)
	}
	ctx, cancel := context.WithTimeout(ctx, deliveryTime)
	defer cancel()
	return errors.Join(
		delivered(ctx, "sessions", &l.services.sessions.Tally, toSessions),
		delivered(ctx, "WebSocket clients", &l.clients.tally, toClients))
}

// delivered waits for n deliveries and says what is wrong with them.
func delivered(ctx context.Context, who string, tally *sessions.Tally, n int64) error {
	err := tally.WaitFor(ctx, n)
	counts := tally.Counts()
	if err != nil {
		return fmt.Errorf("%s: %d of %d deliveries are missing: %w", who, n-counts.Delivered, n, err)
	}
	if err = counts.Err(); err != nil {
		return fmt.Errorf("%s: %w", who, err)
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
