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
	realClients = 10               // sessions with a WebSocket connection, if there are so many
	inFlight    = 64               // posts that some session has yet to take; a mailbox holds more
	postTime    = 30 * time.Second // how long one post may take
)

// postLoad connects the sessions and sends the posts.
type postLoad struct {
	c        Config
	services *services
	clients  *clients
	http     *http.Client
	out      io.Writer
	ledger   *ledger
}

func newPostLoad(ctx context.Context, c Config, s *services, out io.Writer) (*postLoad, error) {
	clients, err := newClients(ctx, s)
	return &postLoad{
		c: c, services: s, out: out,
		clients: clients,
		http:    &http.Client{Timeout: postTime, Transport: &http.Transport{}},
		ledger:  newLedger(c.Guilds),
	}, err
}

// connect connects the sessions, spread over the guilds, and returns when all are
// in.
func (l *postLoad) connect(ctx context.Context) error {
	progress := newProgress(l.out, "connecting sessions", l.c.Sessions)
	for i := range l.c.Sessions {
		c := &client{ledger: l.ledger, guild: i%l.c.Guilds + 1, each: l.each(i)}
		var err error
		if i < realClients {
			err = l.clients.dial(ctx, c)
		} else {
			err = l.clients.connect(ctx, c)
		}
		if err != nil {
			return err
		}
		progress.at(i)
	}
	err := l.ledger.waitJoined(ctx, l.c.Sessions)
	if err == nil {
		progress.at(l.c.Sessions)
	}
	return err
}

// each returns how long the i-th session takes for a message. The slow ones come
// after the real clients.
func (l *postLoad) each(i int) time.Duration {
	if i >= realClients && i < realClients+l.c.Slow {
		return l.c.SlowFor
	}
	return 0
}

// post sends the posts one after another, spread over the guilds, and waits until
// every session has got all of its guild's. It keeps to what the sessions can
// take: none of them has more than a few to come.
func (l *postLoad) post(ctx context.Context) error {
	progress := newProgress(l.out, "sending posts", l.c.Posts)
	for i := range l.c.Posts {
		guild := i%l.c.Guilds + 1
		if err := l.ledger.waitTaken(ctx, inFlight-1); err != nil {
			return err
		}
		seq, err := l.send(ctx, guild, fmt.Sprintf("message %d of the run", i+1))
		if err != nil {
			return err
		}
		l.ledger.post(guild, seq)
		progress.at(i + 1)
	}
	if err := l.ledger.waitTaken(ctx, 0); err != nil {
		return err
	}
	return l.services.sessions.Tally.Counts().Err()
}

// send sends a post and returns its number.
func (l *postLoad) send(ctx context.Context, guild int, content string) (seq int64, err error) {
	body, err := json.Marshal(map[string]string{"author": "load", "content": content})
	if err != nil {
		return 0, err
	}
	url := fmt.Sprintf("http://%s/guilds/%d/messages", l.services.apiAddr, guild)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	resp, err := l.http.Do(req)
	if err != nil {
		return 0, fmt.Errorf("send a post: %w", err)
	}
	answer, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return 0, fmt.Errorf("send a post: %w", err)
	}
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusAccepted {
		return 0, fmt.Errorf("send a post: %s: %s", resp.Status, bytes.TrimSpace(answer))
	}
	var post struct {
		Seq int64 `json:"seq"`
	}
	if err = json.Unmarshal(answer, &post); err != nil {
		return 0, fmt.Errorf("send a post: %w", err)
	}
	return post.Seq, nil
}

// summary says what became of all that clients were to get.
func (l *postLoad) summary() string {
	n := l.services.sessions.Tally.Counts()
	return fmt.Sprintf("deliveries: %d taken by the clients, each in its order; %d told that they are gone\n"+
		"          %d of all caught up from the store; %d sessions ended since their clients could not keep up",
		l.ledger.taken.Load(), l.ledger.told.Load(), n.CaughtUp, n.Behind)
}

// close disconnects the clients.
func (l *postLoad) close(ctx context.Context) error {
	l.http.CloseIdleConnections()
	return l.clients.close(ctx)
}
