// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// application is what SQLite files of ours say that they are.
const application = 0x77617962

// maxReaders is how many may stand in the way of a post that is to be stored.
const maxReaders = 4

// Open opens the store, or makes it. No other program can have it at the same
// time. ctx bounds the opening alone.
func Open(ctx context.Context, c Config) (*Store, error) {
	s := &Store{keep: c.Keep, readers: make(chan struct{}, maxReaders), delivered: map[int64]int64{}}
	file, synchronous := c.File, "FULL" // A commit is on the disk when it returns.
	if file == "" {
		var err error
		if s.temporary, err = os.MkdirTemp("", "guild-"); err != nil {
			return nil, fmt.Errorf("make a temporary store: %w", err)
		}
		file, synchronous = filepath.Join(s.temporary, "posts.db"), "OFF" // Nobody will read it after a crash.
	}
	if err := s.open(ctx, file, synchronous, c.Guilds); err != nil {
		_ = s.close() // The first error says more.
		if busy := (*sqlite.Error)(nil); errors.As(err, &busy) && busy.Code() == sqlite3.SQLITE_BUSY {
			err = errors.New("another program has it open")
		}
		return nil, fmt.Errorf("open the store %s: %w", file, err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, file, synchronous string, guilds int) (err error) {
	source := url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath(), RawQuery: url.Values{
		"_pragma": {"locking_mode(EXCLUSIVE)", "synchronous(" + synchronous + ")"},
		"_txlock": {"immediate"},
	}.Encode()}
	if s.db, err = sql.Open("sqlite", source.String()); err != nil {
		return err
	}
	s.db.SetMaxOpenConns(1) // The one that has the lock.
	var id, tables int
	err = s.db.QueryRowContext(ctx, `SELECT application_id, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id`).Scan(&id, &tables)
	if err != nil {
		return err
	}
	if id != application && tables > 0 {
		return errors.New("it is the database of another program")
	}
	_, err = s.db.ExecContext(ctx, fmt.Sprintf(`PRAGMA journal_mode = WAL; PRAGMA application_id = %d`, application)+`;
		BEGIN;
		CREATE TABLE IF NOT EXISTS guilds (
			id        INTEGER PRIMARY KEY,
			last      INTEGER NOT NULL DEFAULT 0, -- number of the latest post
			delivered INTEGER NOT NULL DEFAULT 0  -- of the latest that is known to be delivered
		);
		CREATE TABLE IF NOT EXISTS posts (
			id      INTEGER PRIMARY KEY,
			guild   INTEGER NOT NULL REFERENCES guilds (id),
			seq     INTEGER NOT NULL,
			author  TEXT NOT NULL,
			content TEXT NOT NULL,
			trace   TEXT NOT NULL, -- headers as JSON, or nothing
			UNIQUE (guild, seq)
		);
		CREATE TABLE IF NOT EXISTS guild_states (
			guild INTEGER PRIMARY KEY REFERENCES guilds (id),
			joins INTEGER NOT NULL, -- sessions that have joined
			peak  INTEGER NOT NULL, -- most sessions at a time
			lost  INTEGER NOT NULL  -- sessions whose clients could not keep up
		);
		WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ?)
		INSERT INTO guilds (id) SELECT id FROM n WHERE true ON CONFLICT DO NOTHING;
		COMMIT`, guilds)
	return err
}

// Close writes the last marks, as long as ctx lets it, and closes the store.
func (s *Store) Close(ctx context.Context) error {
	return errors.Join(s.writeMarks(ctx), s.close())
}

func (s *Store) close() (err error) {
	if s.db != nil {
		err = s.db.Close()
	}
	if s.temporary != "" {
		err = errors.Join(err, os.RemoveAll(s.temporary))
	}
	return err
}
