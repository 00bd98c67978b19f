// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
)

// State returns what a guild remembers, as it was saved last, or [chat.ErrUnknownGuild].
// Its Seq is at least the number of the latest post that is known to be delivered.
func (s *Store) State(ctx context.Context, guild int64) (chat.GuildState, error) {
	var g chat.GuildState
	err := s.db.QueryRowContext(ctx, `SELECT delivered, coalesce(joins, 0), coalesce(peak, 0), coalesce(lost, 0)
		FROM guilds LEFT JOIN guild_states ON guild = id WHERE id = ?`, guild).
		Scan(&g.Seq, &g.Joins, &g.Peak, &g.Lost)
	if errors.Is(err, sql.ErrNoRows) {
		return g, chat.ErrUnknownGuild
	} else if err != nil {
		return g, fmt.Errorf("read the guild's state: %w", err)
	}
	g.Seq = max(g.Seq, s.deliveredOf(guild))
	return g, nil
}

// SaveState saves what a guild remembers, or returns [chat.ErrUnknownGuild]. All of it
// is there after a crash, or none.
func (s *Store) SaveState(ctx context.Context, guild int64, g chat.GuildState) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("save the guild's state: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // Does nothing after the commit.
	var id int64
	err = tx.QueryRowContext(ctx, `UPDATE guilds SET delivered = max(delivered, ?) WHERE id = ? RETURNING id`,
		g.Seq, guild).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return chat.ErrUnknownGuild
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, `REPLACE INTO guild_states (guild, joins, peak, lost) VALUES (?, ?, ?, ?)`,
			guild, g.Joins, g.Peak, g.Lost)
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("save the guild's state: %w", err)
	}
	return nil
}
