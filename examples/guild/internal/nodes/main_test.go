// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package nodes_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/examples/guild/guildpb"
	"github.com/waybill-go/waybill/examples/guild/internal/guilds"
	"github.com/waybill-go/waybill/examples/guild/internal/load"
	"github.com/waybill-go/waybill/examples/guild/internal/nodes"
	"github.com/waybill-go/waybill/examples/guild/internal/store"
	"github.com/waybill-go/waybill/examples/guild/internal/telemetry"
	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/sampling"
)

// gate is the environment variable of the folder in which a session node says that it is there, and
// waits until it may go on. Without it, it does not wait.
const gate = "NODES_TEST_GATE"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == nodes.Command { // A fleet of a test has started it.
		if folder := os.Getenv(gate); folder != "" {
			mark(folder, "there")
			awaitMark(folder, "go on")
		}
		os.Exit(nodes.Main(os.Stdin, os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

// mark makes a file that says something, and awaitMark waits for it.
func mark(folder, what string) {
	if err := os.WriteFile(filepath.Join(folder, what), nil, 0o600); err != nil {
		panic(err)
	}
}

func awaitMark(folder, what string) {
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(folder, what)); err == nil {
			return
		}
	}
}

// patience bounds every wait of these tests; none is expected to take it.
const patience = time.Minute

// world is a guild node without its doors, and session nodes, which are processes.
type world struct {
	t      *testing.T
	store  *store.Store
	guilds *guilds.Service
	hub    *nodes.Hub
	fleet  *nodes.Fleet
	ledger *load.Ledger
}

// newWorld makes one with two guilds and so many session nodes, over a server of NATS of the
// test if there is a URL.
func newWorld(t *testing.T, count int, url string) *world {
	t.Helper()
	control, err := sampling.NewControl(sampling.Config{})
	require.NoError(t, err)
	return newWorldWith(t, count, url, control)
}

func newWorldWith(t *testing.T, count int, url string, control *sampling.Control) *world {
	t.Helper()
	w := &world{t: t, ledger: load.NewLedger(2)}
	ctx, log := t.Context(), slog.New(slog.DiscardHandler)
	var err error
	w.store, err = store.Open(ctx, store.Config{Guilds: 2, Keep: 1000})
	require.NoError(t, err)
	w.hub, err = nodes.NewHub(ctx, nodes.HubConfig{
		NATS: url, Guilds: 2, History: w.store, Provider: noop.NewTracerProvider(), Control: control, Logger: log,
	})
	require.NoError(t, err)
	w.guilds, err = guilds.New(guilds.Config{
		Guilds: 2, Store: w.store, Sessions: w.hub.Sessions, Provider: noop.NewTracerProvider(),
		Propagator: propagate.SampledFirst{}, Control: control, Idle: time.Minute, Logger: log,
	})
	require.NoError(t, err)
	require.NoError(t, w.hub.Serve(ctx, w.guilds))
	receiver, err := telemetry.Receive(ctx, func([]sdktrace.ReadOnlySpan) {}, func(string) {})
	require.NoError(t, err)
	w.fleet, err = nodes.StartFleet(ctx, nodes.FleetConfig{
		Hub: w.hub, Nodes: count, Program: os.Args[0], Collector: receiver.Collector(), Ledger: w.ledger,
		Out: io.Discard, Log: os.Stderr, Logger: log,
	})
	require.NoError(t, err)
	w.fleet.Eager(true)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(t, w.guilds.Shutdown(ctx))
		w.fleet.Close(ctx)
		assert.NoError(t, w.hub.Close(ctx))
		receiver.Close()
		assert.NoError(t, w.store.Close(ctx))
	})
	return w
}

// connect connects clients, spread over the nodes and the guilds.
func (w *world) connect(clients int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	require.NoError(w.t, w.fleet.Connect(ctx, nodes.Clients{End: clients, Guilds: 2}, func(int) {}))
}

// add stores a post of guild 1, of which nobody is told.
func (w *world) add() store.Post {
	w.t.Helper()
	p := store.Post{Guild: 1, Author: "ann", Content: "x"}
	require.NoError(w.t, w.store.Add(w.t.Context(), &p))
	return p
}

// publish has the guild fan a post out.
func (w *world) publish(p store.Post) {
	w.t.Helper()
	_, err := w.guilds.Publish(w.t.Context(), &guildpb.PublishRequest{
		GuildId: 1, MessageId: p.ID, Seq: p.Seq, Author: p.Author, Content: p.Content,
	})
	require.NoError(w.t, err)
}

// until waits until the session nodes are in the wanted state.
func (w *world) until(is func(nodes.State) bool) nodes.State {
	w.t.Helper()
	var s nodes.State
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		s = w.fleet.State()
		require.Empty(w.t, s.Failure)
		if is(s) {
			return s
		}
		require.Less(w.t, time.Since(begun), patience, "%+v", s)
	}
}

// startNATS starts a server of NATS on a port, 0 for any.
func startNATS(t *testing.T, port int) *server.Server {
	t.Helper()
	if port == 0 {
		port = server.RANDOM_PORT
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true})
	require.NoError(t, err)
	s.Start()
	require.True(t, s.ReadyForConnections(patience))
	return s
}
