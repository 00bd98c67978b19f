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

// Mark is how far a guild has come.
type Mark struct {
	Guild     int64
	Last      int64 // number of its latest post, 0 without any
	Delivered int64 // of the latest that is known to be delivered, as are all before it
}

// Mark returns a guild's mark, or [chat.ErrUnknownGuild].
func (s *Store) Mark(ctx context.Context, guild int64) (Mark, error) {
	m := Mark{Guild: guild}
	err := s.db.QueryRowContext(ctx, `SELECT last, delivered FROM guilds WHERE id = ?`, guild).
		Scan(&m.Last, &m.Delivered)
	if errors.Is(err, sql.ErrNoRows) {
		return m, chat.ErrUnknownGuild
	} else if err != nil {
		return m, fmt.Errorf("read the guild: %w", err)
	}
	m.Delivered = max(m.Delivered, s.deliveredOf(guild))
	return m, nil
}

// Delivered takes note that a guild's posts up to number seq have been delivered.
// That is written with the guild's next post or its state, or by Close: after a crash
// the last ones may seem to be undelivered, but never the other way round.
func (s *Store) Delivered(guild, seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delivered[guild] = max(s.delivered[guild], seq)
}

func (s *Store) deliveredOf(guild int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.delivered[guild]
}

func (s *Store) writeMarks(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write what has been delivered: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // Does nothing after the commit.
	for guild, seq := range s.delivered {
		_, err = tx.ExecContext(ctx, `UPDATE guilds SET delivered = max(delivered, ?) WHERE id = ?`, seq, guild)
		if err != nil {
			return fmt.Errorf("write what has been delivered: %w", err)
		}
	}
	return tx.Commit()
}
