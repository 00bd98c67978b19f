// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
)

// What the page on nodes shows.

// nodes: messages

type GuildMsg interface{ isGuildMsg() }

type Publish struct{ Text string }

type GetStats struct {
	reply mailbox.Reply[Stats] // It does not travel: the other machine has its own.
}

type Stats struct{ Published int }

func (Publish) isGuildMsg()  {}
func (GetStats) isGuildMsg() {}

var protocol = remote.Protocol[GuildMsg]{
	Codec: remote.Variants(map[string]GuildMsg{"publish": Publish{}, "stats": GetStats{}}),
	Calls: []remote.CallType[GuildMsg]{
		remote.Answered[GuildMsg](func(q *GetStats) *mailbox.Reply[Stats] { return &q.reply }, nil),
	},
}

// nodes: end

// handleGuild is the handler of a guild.
func handleGuild() mailbox.Handler[GuildMsg] {
	published := 0
	return func(_ context.Context, m GuildMsg) error {
		switch m := m.(type) {
		case Publish:
			published++
		case GetStats:
			m.reply.Answer(Stats{published})
		}
		return nil
	}
}

// connected connects with everything that a connection for production has.
func connected(url string) (*nats.Conn, error) {
	// nodes: connect
	identity, err := nats.NkeyOptionFromSeed("node.nk") // or nats.UserCredentials("node.creds")
	if err != nil {
		return nil, err
	}
	return nats.Connect(url,
		nats.Name("guilds"),
		nats.RootCAs("ca.pem"),
		nats.ClientCert("node.pem", "node-key.pem"),
		identity,
		nats.CustomInboxPrefix("_INBOX_guilds"), // so that nobody else may hear our answers
		nats.MaxReconnects(-1),                  // never give up
		nats.ReconnectBufSize(8<<20),            // bytes that wait for the connection to come back
		nats.FlusherTimeout(5*time.Second),      // for a link that hangs
		nats.PingInterval(10*time.Second),       // to notice that
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { slog.Warn("nats", "error", err) }),
	)
	// nodes: end
}

// serveGuild is the part of the machine where the guild is.
func serveGuild(ctx context.Context, sys *mailbox.System, conn *nats.Conn, until <-chan struct{}) error {
	// nodes: serve
	node, err := remote.NewNode(sys, conn)
	if err != nil {
		return err
	}
	guild, err := mailbox.Spawn(sys, "guild", handleGuild()) // a process as any other
	if err != nil {
		return err
	}
	if _, err := remote.Serve(node, "guild.42", guild, protocol); err != nil {
		return err
	}
	// nodes: end
	<-until
	// nodes: close
	// What has arrived is handled, calls are answered, and then all ends.
	err = errors.Join(node.Close(ctx), sys.Shutdown(ctx))
	conn.Close()
	// nodes: end
	return err
}

// useGuild is the part of any other machine.
func useGuild(ctx context.Context, node *remote.Node) error {
	// nodes: call
	guild, err := remote.NewRef(node, "guild", "guild.42", protocol) // a mailbox.Ref[GuildMsg]
	if err != nil {
		return err
	}
	if err := guild.Send(ctx, Publish{Text: "hello"}); err != nil {
		return err
	}
	stats, err := mailbox.Call(ctx, guild, func(r mailbox.Reply[Stats]) GuildMsg { return GetStats{r} })
	if errors.Is(err, mailbox.ErrStopped) {
		return errors.New("guild 42 is not there")
	}
	// nodes: end
	if err == nil {
		fmt.Println(stats.Published, "published")
	}
	return err
}
