// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package guilds_test

import (
	"context"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/waybill-go/waybill/examples/guild/guildpb"
	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/guilds"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/sampling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests; none is expected to take it.
const patience = time.Minute

// serve runs a guild service with one guild, and returns its address.
func serve(t *testing.T) (s *guilds.Service, addr string) {
	t.Helper()
	control, err := sampling.NewControl(sampling.Config{})
	require.NoError(t, err)
	s, err = guilds.New(guilds.Config{
		Guilds: 1, Store: newStates(), Provider: noop.NewTracerProvider(), Propagator: propagate.SampledFirst{},
		Control: control, Token: token, Idle: time.Minute, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(t, s.Shutdown(ctx))
		assert.NoError(t, <-served)
	})
	return s, listener.Addr().String()
}

// token is what callers show.
const token = guilds.Token("let me in")

func dial(t *testing.T, addr string, opts ...grpc.DialOption) guildpb.GuildsClient {
	t.Helper()
	conn, err := grpc.NewClient(addr, append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	return guildpb.NewGuildsClient(conn)
}

// listen connects a WebSocket client, which reads as much as one does by default.
func listen(t *testing.T, s *guilds.Service) (next func() *chat.MessageCreate) {
	t.Helper()
	control, err := sampling.NewControl(sampling.Config{})
	require.NoError(t, err)
	service, err := sessions.New(sessions.Config{
		Directory: s, Provider: noop.NewTracerProvider(), Control: control, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	server := httptest.NewServer(service.WebSockets(func(int64) chat.Frames { return nil }))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	conn, _, err := websocket.Dial(ctx, server.URL+"?guild=1", &websocket.DialOptions{HTTPClient: client}) //nolint:bodyclose // Dial does.
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = conn.CloseNow()
		cancel()
		server.Close()
		assert.NoError(t, service.Shutdown(context.Background()))
	})
	var ready chat.Ready
	require.NoError(t, wsjson.Read(ctx, conn, &ready))
	return func() *chat.MessageCreate {
		t.Helper()
		var m chat.MessageCreate
		require.NoError(t, wsjson.Read(ctx, conn, &m))
		return &m
	}
}

// What the API would refuse is refused here too, and harms no client.
func TestBadMessagesAreRefusedAtThisDoorToo(t *testing.T) {
	s, addr := serve(t)
	next := listen(t, s)
	client := dial(t, addr, grpc.WithPerRPCCredentials(token))
	publish := func(m *guildpb.PublishRequest) error {
		_, err := client.Publish(t.Context(), m)
		return err
	}
	require.NoError(t, publish(&guildpb.PublishRequest{GuildId: 1, MessageId: 1, Seq: 1, Author: "ann", Content: "before"}))
	for _, test := range []struct {
		m      *guildpb.PublishRequest
		code   codes.Code
		reason string
	}{
		{&guildpb.PublishRequest{GuildId: 1, Author: "ann", Content: strings.Repeat("x", 40<<10)}, codes.InvalidArgument, "2000 characters"},
		{&guildpb.PublishRequest{GuildId: 1, Author: strings.Repeat("x", 40<<10), Content: "x"}, codes.InvalidArgument, "80 characters"},
		{&guildpb.PublishRequest{GuildId: 1, Author: "ann"}, codes.InvalidArgument, "no content"},
		{&guildpb.PublishRequest{GuildId: 1, Content: "x"}, codes.InvalidArgument, "no author"},
		{&guildpb.PublishRequest{GuildId: 2, Author: "ann", Content: "x"}, codes.NotFound, "guild 2"},
		{&guildpb.PublishRequest{GuildId: 1, Author: "ann", Content: strings.Repeat("x", 1<<20)}, codes.ResourceExhausted, "larger than max"},
		{&guildpb.PublishRequest{GuildId: 1, Author: "ann", Content: "x"}, codes.InvalidArgument, "no number"},
		{&guildpb.PublishRequest{GuildId: 1, Seq: 3, Author: "ann", Content: "x"}, codes.FailedPrecondition, "3 of guild 1 after 1"},
		{&guildpb.PublishRequest{GuildId: 1, Seq: math.MaxInt64, Author: "ann", Content: "x"}, codes.FailedPrecondition, "after 1"},
	} {
		err := publish(test.m)
		assert.Equal(t, test.code, status.Code(err), "%v", err)
		assert.ErrorContains(t, err, test.reason)
	}
	// What came before is not fanned out again.
	require.NoError(t, publish(&guildpb.PublishRequest{GuildId: 1, MessageId: 1, Seq: 1, Author: "ann", Content: "again"}))
	require.NoError(t, publish(&guildpb.PublishRequest{GuildId: 1, MessageId: 2, Seq: 2, Author: "ann", Content: "after"}))
	assert.Equal(t, "before", next().Content)
	assert.Equal(t, "after", next().Content)
}

// Nobody but the API can publish, and take the number of what it has stored.
func TestStrangersAreRefused(t *testing.T) {
	one, other := guilds.NewToken(), guilds.NewToken()
	assert.NotEqual(t, one, other)
	_, addr := serve(t)
	post := func(opts ...grpc.DialOption) error {
		_, err := dial(t, addr, opts...).Publish(t.Context(),
			&guildpb.PublishRequest{GuildId: 1, MessageId: 1, Seq: 1, Author: "ann", Content: "forged"})
		return err
	}
	require.Equal(t, codes.Unauthenticated, status.Code(post()))
	for _, wrong := range []guilds.Token{"", "let me", "let me in ", "LET ME IN"} {
		require.Equal(t, codes.Unauthenticated, status.Code(post(grpc.WithPerRPCCredentials(wrong))), wrong)
	}
	require.NoError(t, post(grpc.WithPerRPCCredentials(token)))
}

// Connections that only take up room do so up to a bound.
func TestConnectionsAreBounded(t *testing.T) {
	_, addr := serve(t)
	connect := func() net.Conn {
		conn, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	// A server greets first.
	greeted := func(conn net.Conn, within time.Duration) error {
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(within)))
		_, err := conn.Read(make([]byte, 1))
		return err
	}
	var first net.Conn
	for range guilds.MaxConnections {
		first = connect()
		require.NoError(t, greeted(first, patience))
	}
	last := connect()
	require.ErrorIs(t, greeted(last, 100*time.Millisecond), os.ErrDeadlineExceeded)
	require.NoError(t, first.Close())
	require.NoError(t, greeted(last, patience))
}
