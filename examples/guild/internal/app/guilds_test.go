// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/guilds"
	"github.com/waybill-go/waybill/examples/internal/report"
)

// get returns the JSON that is served there.
func (e *example) get(url string, into any) {
	e.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + url)
	require.NoError(e.t, err)
	defer resp.Body.Close()
	require.Equal(e.t, http.StatusOK, resp.StatusCode)
	require.NoError(e.t, json.NewDecoder(resp.Body).Decode(into))
}

// view is what the page shows of a guild.
type view struct{ Here, Peak, Joins, Lost, Last int64 }

func (e *example) view(guild string) (v view) {
	e.t.Helper()
	e.get(e.api+"/api/guilds/"+guild, &v)
	return v
}

// lives is what operators see of the guilds.
type lives struct{ Processes, Passivated, Restarts int }

func (e *example) lives() (l lives) {
	e.t.Helper()
	e.get(e.ops+"/guilds", &l)
	return l
}

// sleeps waits until guilds have gone to sleep n times.
func (e *example) sleeps(n int) {
	e.t.Helper()
	e.until(func() bool { return e.lives().Passivated >= n })
}

// until looks again and again until it is so.
func (e *example) until(so func() bool) {
	e.t.Helper()
	for begun := time.Now(); !so(); time.Sleep(time.Millisecond) {
		require.Less(e.t, time.Since(begun), patience)
	}
}

// A guild remembers what it knows over its sleep, and over the end of the program.
func TestAGuildRemembers(t *testing.T) {
	args := []string{"-sessions", "0", "-posts", "0", "-guilds", "3", "-db", filepath.Join(t.TempDir(), "posts.db")}
	e := start(t, args...)
	assert.Zero(t, e.lives().Processes, "nobody has needed a guild")
	one, two := e.listen("2"), e.listen("2")
	status, _ := e.post("2", `{"content":"one"}`)
	require.Equal(t, http.StatusCreated, status)
	assert.Equal(t, view{Here: 2, Peak: 2, Joins: 2, Last: 1}, e.view("2"))
	assert.Equal(t, lives{Processes: 1}, e.lives())
	for _, l := range []*listener{one, two} {
		assert.EqualValues(t, 1, l.next().Seq)
		l.close()
	}
	e.sleeps(1)
	assert.Equal(t, view{Peak: 2, Joins: 2, Last: 1}, e.view("2"))
	one = e.listen("2")
	assert.Equal(t, view{Here: 1, Peak: 2, Joins: 3, Last: 1}, e.view("2"))
	status, _ = e.post("2", `{"content":"two"}`)
	require.Equal(t, http.StatusCreated, status)
	assert.EqualValues(t, 2, one.next().Seq)
	one.close()
	e.finish()

	e = start(t, args...)
	assert.Equal(t, view{Peak: 2, Joins: 3, Last: 2}, e.view("2"))
	one = e.listen("2")
	status, _ = e.post("2", `{"content":"three"}`)
	require.Equal(t, http.StatusCreated, status)
	assert.EqualValues(t, 3, one.next().Seq)
	one.close()
	assert.Equal(t, http.StatusNotFound, e.visit(http.MethodGet, "/api/guilds/4", e.api, ""))
	assert.Equal(t, http.StatusNotFound, e.visit(http.MethodGet, "/api/guilds/x", e.api, ""))
	e.finish()
}

// Guilds that sleep whenever they can leave out no post and send none twice, in traces
// that are whole.
func TestGuildsThatSleepAllTheTime(t *testing.T) {
	const posts = 60
	e := start(t, "-sessions", "30", "-slow", "0", "-posts", "0", "-idle", "1ms")
	clients := newFollowers(t, e.api)
	clients.add(nil)
	e.until(func() bool { return e.view("1").Here == 31 })
	for i := range posts {
		before := e.lives().Passivated
		status, a := e.post("1", fmt.Sprintf(`{"content":"number %d"}`, i+1))
		require.Equal(t, http.StatusCreated, status, a.Error)
		assert.EqualValues(t, 31, a.Delivered)
		if i%10 == 0 {
			e.sleeps(before + 1)
		}
	}
	for i, content := range clients.contents(posts)[0] {
		assert.Equal(t, fmt.Sprintf("number %d", i+1), content)
	}
	clients.stop()
	clients.running.Wait()
	woken := 0
	for _, trace := range e.finish().Traces {
		woken += named(trace, "SELECT guild state")
		assert.Equal(t, 1, named(trace, "broadcast sessions"))
		assert.Empty(t, orphans(trace))
	}
	assert.GreaterOrEqual(t, woken, posts/10, "a trace tells that its post had to wake the guild")
}

// named counts the spans of that name.
func named(trace report.Trace, name string) (n int) {
	for _, s := range trace.Spans {
		if s.Name == name {
			n++
		}
	}
	return n
}

// orphans returns the spans whose parents are not in the trace.
func orphans(trace report.Trace) (without []report.Span) {
	tr := newTree(trace)
	for _, s := range trace.Spans {
		if _, ok := tr.byID[s.ParentID]; !ok && s.ParentID != "" {
			without = append(without, s)
		}
	}
	return without
}

// A post that makes its guild panic is delivered all the same, later, and those who
// post have no guild panic unless that is asked for.
func TestAGuildThatPanicsGoesOn(t *testing.T) {
	fault := fmt.Sprintf(`{"content":%q}`, guilds.Fault)
	e := start(t, "-sessions", "20", "-slow", "0", "-posts", "0")
	status, _ := e.post("1", fault)
	assert.Equal(t, http.StatusCreated, status)
	e.finish()

	e = start(t, "-sessions", "20", "-slow", "0", "-posts", "0", "-faults")
	clients := newFollowers(t, e.api)
	clients.add(nil)
	status, _ = e.post("1", `{"content":"before"}`)
	require.Equal(t, http.StatusCreated, status)
	clients.contents(1)
	status, _ = e.post("1", fault)
	assert.Equal(t, http.StatusAccepted, status, "it is stored")
	e.post("1", `{"content":"after"}`)
	assert.Equal(t, []string{"before", guilds.Fault, "after"}, clients.contents(3)[0])
	assert.Equal(t, 1, e.lives().Restarts)
	v := e.view("1")
	assert.EqualValues(t, 21, v.Here, "the sessions have stayed")
	assert.EqualValues(t, 3, v.Last)
	clients.stop()
	clients.running.Wait()
	r := e.finish()
	assert.EqualValues(t, 3*21, r.Summary.Delivered)
	assert.Contains(t, e.stderr.String(), "a post asked for it")

	failed := 0
	for _, trace := range r.Traces {
		if named(trace, "broadcast sessions") == 1 {
			continue
		}
		failed++
		assert.Equal(t, 2, named(trace, "guild Publish"), "the second try is in the trace of the first")
		assert.Equal(t, 2, named(trace, "broadcast sessions"))
		assert.Empty(t, orphans(trace))
	}
	assert.Equal(t, 1, failed)
}
