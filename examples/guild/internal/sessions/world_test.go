// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sessions_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/examples/guild/guildpb"
	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/guilds"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
	"github.com/waybill-go/waybill/examples/guild/internal/store"
	"github.com/waybill-go/waybill/examples/guild/internal/trouble"
	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/sampling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests; none is expected to take it.
const patience = time.Minute

// world is a session service with a guild and its history.
type world struct {
	*sessions.Service

	t       *testing.T
	store   *store.Store
	guilds  *guilds.Service
	posted  sync.Mutex
	trouble *trouble.Board
}

// newWorld makes one whose history keeps so many posts.
func newWorld(t *testing.T, keep int64) *world {
	t.Helper()
	w := &world{t: t}
	w.trouble = trouble.NewBoard(trouble.Config{Guilds: 1, Logger: slog.New(slog.DiscardHandler)})
	var err error
	w.store, err = store.Open(t.Context(), store.Config{Guilds: 1, Keep: keep})
	require.NoError(t, err)
	control, err := sampling.NewControl(sampling.Config{})
	require.NoError(t, err)
	w.guilds, err = guilds.New(guilds.Config{
		Guilds: 1, Store: w.store, Provider: noop.NewTracerProvider(), Propagator: propagate.SampledFirst{}, Control: control,
		Idle: time.Minute, Trouble: w.trouble, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	w.Service, err = sessions.New(sessions.Config{
		Directory: w.guilds, History: w.store, Provider: noop.NewTracerProvider(), Control: control, Trouble: w.trouble,
		Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		w.trouble.Close()
		assert.NoError(t, w.guilds.Shutdown(ctx))
		assert.NoError(t, w.Shutdown(ctx))
		assert.NoError(t, w.store.Close(ctx))
	})
	return w
}

// post stores and publishes n messages, one after another, and returns how many
// sessions did not take the last one.
func (w *world) post(n int, content string) (refused int64) {
	w.t.Helper()
	w.posted.Lock()
	defer w.posted.Unlock()
	for range n {
		p := store.Post{Guild: 1, Author: "ann", Content: content}
		require.NoError(w.t, w.store.Add(w.t.Context(), &p))
		d, err := w.guilds.Publish(w.t.Context(), &guildpb.PublishRequest{
			GuildId: 1, MessageId: p.ID, Seq: p.Seq, Author: p.Author, Content: p.Content,
		})
		require.NoError(w.t, err)
		w.store.Delivered(1, p.Seq)
		refused = d.GetRecipients() - d.GetDelivered()
	}
	return refused
}

// client is a client that checks that it gets every message once and in order,
// over several sessions if need be.
type client struct {
	mu     sync.Mutex
	last   int64
	missed int64 // that it was told of
	ready  []chat.Ready
	wrong  error
	signal chan struct{} // holds one when something came
	block  chan struct{} // what each message waits for, if there is one
}

func newClient(since int64) *client { return &client{last: since, signal: make(chan struct{}, 1)} }

func (c *client) take(ctx context.Context, e chat.Event) error {
	if c.block != nil {
		select {
		case <-c.block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e := e.(type) {
	case *chat.Ready:
		c.ready = append(c.ready, *e)
		c.missed += e.Missed
		c.last = e.Last
	case *chat.MessageCreate:
		if e.Seq != c.last+1 && c.wrong == nil {
			c.wrong = fmt.Errorf("message %d after %d", e.Seq, c.last)
		}
		c.last = e.Seq
	}
	select {
	case c.signal <- struct{}{}:
	default:
	}
	return nil
}

// waitFor waits until the client has message number seq.
func (c *client) waitFor(t *testing.T, seq int64) {
	t.Helper()
	late := time.After(patience)
	for {
		c.mu.Lock()
		last, wrong := c.last, c.wrong
		c.mu.Unlock()
		require.NoError(t, wrong)
		if last >= seq {
			require.Equal(t, seq, last)
			return
		}
		select {
		case <-c.signal:
		case <-late:
			require.Fail(t, "a message did not come", "%d %d %+v", seq, c.last, c.ready)
		}
	}
}
