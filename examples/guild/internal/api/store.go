// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	_ "modernc.org/sqlite" // The driver.
)

// errUnknownGuild means that there is no such guild in the store.
var errUnknownGuild = errors.New("unknown guild")

// Post is a stored chat message.
type Post struct {
	ID      int64  `json:"id"`
	Guild   int64  `json:"guild"`
	Author  string `json:"author"`
	Content string `json:"content"`
}

// store keeps guilds and posts in an SQLite database in memory.
type store struct{ db *sql.DB }

func openStore(ctx context.Context, guilds int) (*store, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // Every connection to :memory: is a database of its own.
	_, err = db.ExecContext(ctx, `
		CREATE TABLE guilds (id INTEGER PRIMARY KEY);
		CREATE TABLE posts (
			id      INTEGER PRIMARY KEY,
			guild   INTEGER NOT NULL REFERENCES guilds (id),
			author  TEXT NOT NULL,
			content TEXT NOT NULL
		);
		CREATE INDEX posts_by_guild ON posts (guild, id);
		WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ?)
		INSERT INTO guilds SELECT id FROM n`, guilds)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("set up the store: %w", err), db.Close())
	}
	return &store{db}, nil
}

// add stores p and sets its ID.
func (s *store) add(ctx context.Context, p *Post) error {
	row := s.db.QueryRowContext(ctx, `
		INSERT INTO posts (guild, author, content)
		SELECT id, ?, ? FROM guilds WHERE id = ? RETURNING id`, p.Author, p.Content, p.Guild)
	if err := row.Scan(&p.ID); errors.Is(err, sql.ErrNoRows) {
		return errUnknownGuild
	} else if err != nil {
		return fmt.Errorf("store the post: %w", err)
	}
	return nil
}

// latest returns the last n posts of a guild, oldest first, or errUnknownGuild.
func (s *store) latest(ctx context.Context, guild int64, n int) ([]Post, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT id, guild, author, content FROM
			(SELECT * FROM posts WHERE guild = ? ORDER BY id DESC LIMIT ?) ORDER BY id`, guild, n)
	if err != nil {
		return nil, fmt.Errorf("read the posts: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Reading; Err below tells.
	var posts []Post
	for rows.Next() {
		var p Post
		if err := rows.Scan(&p.ID, &p.Guild, &p.Author, &p.Content); err != nil {
			return nil, fmt.Errorf("read the posts: %w", err)
		}
		posts = append(posts, p)
	}
	if err := rows.Err(); err != nil || len(posts) > 0 {
		return posts, err
	}
	return []Post{}, s.check(ctx, guild)
}

// check returns errUnknownGuild if there is no such guild.
func (s *store) check(ctx context.Context, guild int64) error {
	var id int64
	err := s.db.QueryRowContext(ctx, `SELECT id FROM guilds WHERE id = ?`, guild).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return errUnknownGuild
	}
	return err
}

func (s *store) close() error { return s.db.Close() }
