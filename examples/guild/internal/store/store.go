// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package store keeps the posts of all guilds, numbered one by one in each, how far
// they have been delivered, and what guilds remember, in an SQLite file.
package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
)

// Post is a stored chat message.
type Post struct {
	ID      int64                  `json:"id"`
	Guild   int64                  `json:"guild"`
	Seq     int64                  `json:"seq"` // 1 for the guild's first post, then without gaps
	Author  string                 `json:"author"`
	Content string                 `json:"content"`
	Trace   propagation.MapCarrier `json:"-"` // of the poster, so that who delivers it later goes on with it
}

// Config says what a store is to hold.
type Config struct {
	File   string // where it is, and stays; empty for one that ends with the program
	Guilds int    // numbered from 1
	Keep   int64  // how many posts of a guild are kept, the latest
}

// Store is open until Close. Any number of goroutines may use it.
type Store struct {
	db        *sql.DB
	keep      int64
	readers   chan struct{} // of history; holds one for each that reads
	temporary string        // folder that goes when the store is closed

	mu        sync.Mutex
	delivered map[int64]int64 // by guild, since its row was written
}

// Add stores a post, and gives it its ID and number, or returns
// [chat.ErrUnknownGuild]. Delivered posts beyond what is kept are removed. What an Add has
// stored is there after a crash, of the program or of the machine.
func (s *Store) Add(ctx context.Context, p *Post) error {
	trace, err := encodeTrace(p.Trace)
	if err != nil {
		return err
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store the post: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // Does nothing after the commit.
	var id, seq int64
	// The number comes from inside the transaction that uses it: no other post
	// can get the same, and one that is not stored leaves no gap.
	err = tx.QueryRowContext(ctx, `UPDATE guilds SET last = last + 1, delivered = max(delivered, ?)
		WHERE id = ? RETURNING last`, s.deliveredOf(p.Guild), p.Guild).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return chat.ErrUnknownGuild
	}
	if err == nil {
		err = tx.QueryRowContext(ctx, `INSERT INTO posts (guild, seq, author, content, trace)
			VALUES (?, ?, ?, ?, ?) RETURNING id`, p.Guild, seq, p.Author, p.Content, trace).Scan(&id)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, `DELETE FROM posts WHERE guild = ?1 AND seq <= ?2
			AND seq <= (SELECT delivered FROM guilds WHERE id = ?1)`, p.Guild, seq-s.keep)
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("store the post: %w", err)
	}
	p.ID, p.Seq = id, seq
	return nil
}

func encodeTrace(c propagation.MapCarrier) (string, error) {
	if len(c) == 0 {
		return "", nil
	}
	trace, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("store the post: %w", err)
	}
	return string(trace), nil
}

// Latest returns the last n posts of a guild, oldest first, or [chat.ErrUnknownGuild].
func (s *Store) Latest(ctx context.Context, guild int64, n int) ([]Post, error) {
	posts, err := s.posts(ctx, `SELECT id, guild, seq, author, content, trace FROM
		(SELECT * FROM posts WHERE guild = ? ORDER BY seq DESC LIMIT ?) ORDER BY seq`, guild, n)
	if err == nil && len(posts) == 0 {
		_, err = s.Mark(ctx, guild)
	}
	return posts, err
}

// After returns up to n posts of a guild with numbers above seq, in their order.
func (s *Store) After(ctx context.Context, guild, seq int64, n int) ([]Post, error) {
	return s.posts(ctx, `SELECT id, guild, seq, author, content, trace FROM posts
		WHERE guild = ? AND seq > ? ORDER BY seq LIMIT ?`, guild, seq, n)
}

func (s *Store) posts(ctx context.Context, query string, args ...any) ([]Post, error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read the posts: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Reading; Err below tells.
	posts := []Post{}
	for rows.Next() {
		var p Post
		var trace string
		if err = rows.Scan(&p.ID, &p.Guild, &p.Seq, &p.Author, &p.Content, &trace); err == nil && trace != "" {
			err = json.Unmarshal([]byte(trace), &p.Trace)
		}
		if err != nil {
			return nil, fmt.Errorf("read the posts: %w", err)
		}
		posts = append(posts, p)
	}
	if err = rows.Err(); err != nil {
		return nil, fmt.Errorf("read the posts: %w", err)
	}
	return posts, nil
}
