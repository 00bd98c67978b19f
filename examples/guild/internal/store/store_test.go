// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, c store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), c)
	require.NoError(t, err)
	return s
}

func add(t *testing.T, s *store.Store, guild int64, content string) store.Post {
	t.Helper()
	p := store.Post{Guild: guild, Author: "ann", Content: content}
	require.NoError(t, s.Add(t.Context(), &p))
	return p
}

func mark(t *testing.T, s *store.Store, guild int64) store.Mark {
	t.Helper()
	m, err := s.Mark(t.Context(), guild)
	require.NoError(t, err)
	return m
}

func TestPostsAreNumberedWithoutGapsInEachGuild(t *testing.T) {
	s := open(t, store.Config{Guilds: 3, Keep: 1000})
	const posters, each = 8, 20
	var group sync.WaitGroup
	for i := range posters {
		group.Go(func() {
			for j := range each {
				p := store.Post{Guild: int64(j%2 + 1), Author: fmt.Sprint(i), Content: fmt.Sprint(j)}
				assert.NoError(t, s.Add(t.Context(), &p))
				assert.Positive(t, p.Seq)
			}
		})
	}
	group.Wait()
	for guild := range int64(2) {
		posts, err := s.After(t.Context(), guild+1, 0, 1000)
		require.NoError(t, err)
		require.Len(t, posts, posters*each/2)
		for i, p := range posts {
			assert.EqualValues(t, i+1, p.Seq)
		}
		assert.EqualValues(t, len(posts), mark(t, s, guild+1).Last)
	}
	require.NoError(t, s.Close(t.Context()))
}

func TestUnknownGuilds(t *testing.T) {
	s := open(t, store.Config{Guilds: 3, Keep: 1000})
	posts, err := s.Latest(t.Context(), 3, 10)
	require.NoError(t, err)
	assert.Empty(t, posts)
	assert.Zero(t, mark(t, s, 3).Last)
	for _, guild := range []int64{-1, 0, 4} {
		require.ErrorIs(t, s.Add(t.Context(), &store.Post{Guild: guild}), chat.ErrUnknownGuild)
		_, err = s.Latest(t.Context(), guild, 10)
		require.ErrorIs(t, err, chat.ErrUnknownGuild)
	}
	require.NoError(t, s.Close(t.Context()))
}

func TestAFileIsThereTheNextTime(t *testing.T) {
	c := store.Config{File: filepath.Join(t.TempDir(), "a b%#?.db"), Guilds: 1, Keep: 1000}
	s := open(t, c)
	traced := store.Post{Guild: 1, Author: "ann", Content: "one", Trace: propagation.MapCarrier{"traceparent": "00-x"}}
	require.NoError(t, s.Add(t.Context(), &traced))
	second := add(t, s, 1, "two")
	s.Delivered(1, 1)
	_, err := store.Open(t.Context(), c)
	require.ErrorContains(t, err, "another program has it open")
	require.NoError(t, s.Close(t.Context()))

	c.Guilds = 2
	s = open(t, c)
	posts, err := s.Latest(t.Context(), 1, 10)
	require.NoError(t, err)
	assert.Equal(t, []store.Post{traced, second}, posts)
	assert.Equal(t, store.Mark{Guild: 1, Last: 2, Delivered: 1}, mark(t, s, 1))
	assert.EqualValues(t, 3, add(t, s, 1, "three").Seq, "numbers go on")
	assert.EqualValues(t, 1, add(t, s, 2, "first").Seq, "a new guild begins")
	require.NoError(t, s.Close(t.Context()))
	_, err = os.Stat(c.File)
	require.NoError(t, err)
}

// What a guild remembers is there the next time, and so is how far it has come.
func TestTheStateOfAGuildIsThereTheNextTime(t *testing.T) {
	c := store.Config{File: filepath.Join(t.TempDir(), "posts.db"), Guilds: 2, Keep: 1000}
	s := open(t, c)
	state := func(guild int64) chat.GuildState {
		state, err := s.State(t.Context(), guild)
		require.NoError(t, err)
		return state
	}
	assert.Zero(t, state(1))
	for range 9 {
		add(t, s, 1, "x")
	}
	want := chat.GuildState{Seq: 5, Joins: 7, Peak: 3, Lost: 1}
	require.NoError(t, s.SaveState(t.Context(), 1, want))
	assert.Equal(t, want, state(1))
	assert.EqualValues(t, 5, mark(t, s, 1).Delivered)
	s.Delivered(1, 6)
	want.Seq = 6
	assert.Equal(t, want, state(1), "it is what has been delivered that counts")
	s.Delivered(1, 4)
	require.NoError(t, s.SaveState(t.Context(), 1, chat.GuildState{Seq: 2, Joins: 8}))
	assert.Equal(t, chat.GuildState{Seq: 6, Joins: 8}, state(1), "nothing comes again")
	assert.Zero(t, state(2))
	require.NoError(t, s.Close(t.Context()))

	s = open(t, c)
	assert.Equal(t, chat.GuildState{Seq: 6, Joins: 8}, state(1))
	_, err := s.State(t.Context(), 3)
	require.ErrorIs(t, err, chat.ErrUnknownGuild)
	require.ErrorIs(t, s.SaveState(t.Context(), 3, want), chat.ErrUnknownGuild)
	require.NoError(t, s.Close(t.Context()))
}

func TestATemporaryStoreLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s := open(t, store.Config{Guilds: 1, Keep: 10})
	add(t, s, 1, "x")
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	assert.Len(t, left, 1)
	require.NoError(t, s.Close(t.Context()))
	left, err = os.ReadDir(os.TempDir())
	require.NoError(t, err)
	assert.Empty(t, left)
}

// The oldest posts go, but none before it is delivered.
func TestOldPostsAreRemoved(t *testing.T) {
	s := open(t, store.Config{Guilds: 2, Keep: 10})
	seqs := func(guild int64) (seqs []int64) {
		posts, err := s.After(t.Context(), guild, 0, 1000)
		require.NoError(t, err)
		for _, p := range posts {
			seqs = append(seqs, p.Seq)
		}
		return seqs
	}
	add(t, s, 2, "of another guild")
	for range 30 {
		add(t, s, 1, "x")
	}
	assert.Len(t, seqs(1), 30)
	s.Delivered(1, 15)
	add(t, s, 1, "x")
	assert.EqualValues(t, 16, seqs(1)[0])
	s.Delivered(1, 31)
	add(t, s, 1, "x")
	assert.Equal(t, []int64{23, 24, 25, 26, 27, 28, 29, 30, 31, 32}, seqs(1))
	assert.Len(t, seqs(2), 1)
	require.NoError(t, s.Close(t.Context()))
}

// A file keeps its size however many posts come and go.
func TestFilesAreBounded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "posts.db")
	s := open(t, store.Config{File: file, Guilds: 1, Keep: 10})
	for range 300 {
		s.Delivered(1, add(t, s, 1, strings.Repeat("x", 2000)).Seq)
	}
	require.NoError(t, s.Close(t.Context()))
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Less(t, info.Size(), int64(300*2000/2))
}

func TestWhatIsNoStoreIsLeftAlone(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "text")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("not a database\n", 100)), 0o600))
	foreign := filepath.Join(folder, "foreign.db")
	db, err := sql.Open("sqlite", foreign)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), `CREATE TABLE posts (x)`)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	for _, test := range []struct{ file, why string }{
		{text, "not a database"},
		{foreign, "database of another program"},
		{filepath.Join(folder, "none", "posts.db"), "unable to open"},
		{folder, "unable to open"},
	} {
		before, _ := os.ReadFile(test.file)
		_, err := store.Open(t.Context(), store.Config{File: test.file, Guilds: 1, Keep: 10})
		require.ErrorContains(t, err, test.why)
		assert.NotContains(t, err.Error(), "\n")
		after, _ := os.ReadFile(test.file)
		assert.True(t, bytes.Equal(before, after), test.file)
	}
}
