// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"fmt"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
)

// Last returns the number of a guild's latest post, 0 without any, or
// [chat.ErrUnknownGuild].
func (s *Store) Last(ctx context.Context, guild int64) (int64, error) {
	m, err := s.Mark(ctx, guild)
	return m.Last, err
}

// Heads returns the numbers of the latest posts of some guilds, leaving out those that there
// are not.
func (s *Store) Heads(ctx context.Context, guilds []int64) (map[int64]int64, error) {
	asked, err := json.Marshal(guilds)
	if err != nil {
		return nil, fmt.Errorf("read the guilds: %w", err)
	}
	rows, err := s.db.QueryContext(ctx,
		`SELECT id, last FROM guilds WHERE id IN (SELECT value FROM json_each(?))`, string(asked))
	if err != nil {
		return nil, fmt.Errorf("read the guilds: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Reading; Err below tells.
	heads := make(map[int64]int64, len(guilds))
	for rows.Next() {
		var guild, last int64
		if err = rows.Scan(&guild, &last); err != nil {
			return nil, fmt.Errorf("read the guilds: %w", err)
		}
		heads[guild] = last
	}
	if err = rows.Err(); err != nil {
		return nil, fmt.Errorf("read the guilds: %w", err)
	}
	return heads, nil
}

// Messages returns what [Store.After] does, as clients get it. Those who read
// history wait for each other rather than let new posts wait for them all.
func (s *Store) Messages(ctx context.Context, guild, after int64, n int) ([]*chat.MessageCreate, error) {
	select {
	case s.readers <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	posts, err := s.After(ctx, guild, after, n)
	<-s.readers
	messages := make([]*chat.MessageCreate, 0, len(posts))
	for _, p := range posts {
		messages = append(messages, &chat.MessageCreate{
			Type: chat.TypeMessage, Guild: p.Guild, ID: p.ID, Seq: p.Seq, Author: p.Author, Content: p.Content,
			TraceID: traceID(ctx, p.Trace),
		})
	}
	return messages, err
}

// traceID returns the ID of a stored trace, if it is sampled.
func traceID(ctx context.Context, stored propagation.MapCarrier) string {
	ctx = trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	sc := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(ctx, stored))
	if !sc.IsSampled() {
		return ""
	}
	return sc.TraceID().String()
}
