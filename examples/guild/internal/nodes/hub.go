// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/examples/guild/internal/guilds"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/sampling"
)

// HubConfig is what [NewHub] needs to know. All fields are needed, but for NATS.
type HubConfig struct {
	NATS     string // URL of a server of NATS; empty for one inside this process
	Guilds   int
	History  History
	Provider trace.TracerProvider // of the guild service
	Control  *sampling.Control
	Logger   *slog.Logger
}

// Hub is the guild node's part in the traffic between nodes.
type Hub struct {
	link   Link
	broker *broker
	conn   *nats.Conn
	sys    *mailbox.System
	node   *remote.Node
	groups *Groups
	config HubConfig
}

// NewHub connects the guild node to the others. Close ends it.
func NewHub(ctx context.Context, c HubConfig) (h *Hub, err error) {
	h = &Hub{config: c}
	defer func() {
		if err != nil {
			_ = h.Close(ctx) // The first error says more.
			h = nil
		}
	}()
	if h.link, h.broker, err = link(c.NATS); err != nil {
		return h, err
	}
	if h.conn, err = h.link.connect(ctx, Name(0), c.Logger); err != nil {
		return h, err
	}
	h.sys = mailbox.NewSystem(mailbox.WithTracerProvider(c.Provider), mailbox.WithControl(c.Control),
		mailbox.WithLogger(c.Logger))
	if h.node, err = remote.NewNode(h.sys, h.conn, remote.WithID(Name(0)), remote.WithPrefix(h.link.Prefix),
		remote.WithTracerProvider(c.Provider), remote.WithLogger(c.Logger)); err != nil {
		return h, err
	}
	h.groups = newGroups(h.node, c.Guilds, c.Control, c.History.Heads)
	return h, nil
}

// Sessions returns what the sessions of a guild are in, on all nodes.
func (h *Hub) Sessions(guild int64) (guilds.Sessions, error) { return h.groups.of(guild) }

// Serve has session nodes answered from now on.
func (h *Hub) Serve(ctx context.Context, guilds Guilds) error {
	if err := serveGuilds(h.node, h.link, guildServer{guilds, h.config.History}); err != nil {
		return err
	}
	return reached(ctx, h.conn)
}

// Len returns how many sessions all guilds have on all nodes, as far as these have said.
func (h *Hub) Len() (n int) {
	h.groups.mu.Lock()
	defer h.groups.mu.Unlock()
	for _, group := range h.groups.byGuild {
		n += group.Len()
	}
	return n
}

// Stats counts the messages between the guild node's services and other nodes.
func (h *Hub) Stats() mailbox.Stats { return h.sys.Stats() }

// String says how nodes reach each other.
func (h *Hub) String() string {
	if h.broker == nil {
		return "over NATS at " + h.link.redacted()
	}
	return "over NATS inside the guild node, " + h.link.redacted()
}

// Close ends the traffic. Those who are still to get something from other nodes do not.
func (h *Hub) Close(ctx context.Context) error {
	var errs []error
	if h.groups != nil {
		h.groups.close()
	}
	if h.node != nil {
		errs = append(errs, h.node.Close(ctx))
	}
	if h.sys != nil {
		errs = append(errs, h.sys.Shutdown(ctx))
	}
	if h.conn != nil {
		h.conn.Close()
	}
	h.broker.close()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("between nodes: %w", err)
	}
	return nil
}
