// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/placement"
)

// What docs/nodes.md shows of placement.

type GuildMsg interface{ isGuildMsg() }

type Publish struct{ Text string }

func (Publish) isGuildMsg() {}

var protocol = remote.Protocol[GuildMsg]{Codec: remote.Variants(map[string]GuildMsg{"publish": Publish{}})}

// table is a database that keeps what it is asked to do.
type table struct{ args []any }

func (t *table) ExecContext(_ context.Context, _ string, args ...any) (sql.Result, error) {
	t.args = args
	return nil, nil
}

func publish(ctx context.Context, node *remote.Node, js jetstream.JetStream, newGuild mailbox.Factory[GuildMsg]) error {
	// nodes: place
	guilds, err := placement.NewKind(ctx, node, js, "guild", protocol, placement.Config[GuildMsg]{
		Factory: newGuild, // A node without one runs no guilds, and reaches those of others.
	})
	if err != nil {
		return err
	}
	guild, err := guilds.GetOrSpawn(ctx, "42") // a mailbox.Ref[GuildMsg], wherever it is
	if err != nil {
		return err
	}
	if err := guild.Send(ctx, Publish{Text: "hello"}); err != nil {
		return err
	}
	// nodes: end
	return guilds.Close(ctx)
}

func rename(ctx context.Context, db *table, id, name string) error {
	// nodes: token
	token, _ := placement.Token(ctx)
	_, err := db.ExecContext(ctx,
		`UPDATE guilds SET name = $1, token = $2 WHERE id = $3 AND token <= $2`, name, token, id)
	return err
	// nodes: end
}

func TestThePage(t *testing.T) {
	c := newCluster(t)
	m := c.newMachine(t, c.server.Conn(t), nil)
	handled := make(chan *table, 1)
	newGuild := func(context.Context, mailbox.Ref[GuildMsg]) (mailbox.Instance[GuildMsg], error) {
		return mailbox.Instance[GuildMsg]{Handle: func(ctx context.Context, message GuildMsg) error {
			db := new(table)
			err := rename(ctx, db, "42", message.(Publish).Text)
			handled <- db
			return err
		}}, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, publish(ctx, m.node, m.js, newGuild))
	args := await(t, handled).args
	assert.Equal(t, "hello", args[0])
	assert.Positive(t, args[1])
}
