// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/trouble"
	"github.com/waybill-go/waybill/examples/internal/report"
)

// trouble orders trouble, or ends it with method DELETE, and returns what there is of it.
func (e *example) trouble(method string, name trouble.Name, order string) (s trouble.State) {
	e.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(e.t.Context(), method, "http://"+e.ops+"/trouble/"+string(name), strings.NewReader(order))
	require.NoError(e.t, err)
	resp, err := client.Do(req)
	require.NoError(e.t, err)
	defer resp.Body.Close()
	require.Equal(e.t, http.StatusOK, resp.StatusCode)
	var all struct{ Trouble []trouble.State }
	require.NoError(e.t, json.NewDecoder(resp.Body).Decode(&all))
	for _, s = range all.Trouble {
		if s.Name == name {
			return s
		}
	}
	require.Fail(e.t, "no such trouble")
	return s
}

// happened waits until what happened to a sort of trouble is as it should be.
func (e *example) happened(name trouble.Name, what string) {
	e.t.Helper()
	var all struct{ Trouble []trouble.State }
	e.until(func() bool {
		e.get(e.ops+"/trouble", &all)
		for _, s := range all.Trouble {
			if s.Name == name && strings.Contains(s.Happened, what) {
				return true
			}
		}
		return false
	})
}

// troubled is a program with sessions in one guild, and a client that takes each post
// once and in order, whatever happens.
type troubled struct {
	*example

	clients *followers
	posted  []string
}

const troubledSessions = 40

func inTrouble(t *testing.T) *troubled {
	t.Helper()
	e := start(t, "-sessions", fmt.Sprint(troubledSessions), "-slow", "0", "-posts", "0")
	d := &troubled{example: e, clients: newFollowers(t, e.api)}
	d.clients.add(nil)
	e.until(func() bool { return e.view("1").Here == troubledSessions+1 })
	return d
}

// say posts, and returns when the post is stored.
func (d *troubled) say() (status int, a answer) {
	d.t.Helper()
	content := fmt.Sprintf("number %d", len(d.posted)+1)
	status, a = d.post("1", fmt.Sprintf(`{"content":%q}`, content))
	require.Contains(d.t, []int{http.StatusCreated, http.StatusAccepted}, status, a.Error)
	d.posted = append(d.posted, content)
	return status, a
}

// returned waits until a client whose session has ended is back.
func (d *troubled) returned() {
	d.t.Helper()
	d.until(func() bool { v := d.view("1"); return v.Joins == troubledSessions+2 && v.Here == troubledSessions+1 })
}

// over ends the program when every session has every post, and returns the traces in the
// order of the posts.
func (d *troubled) over() []report.Trace {
	d.t.Helper()
	assert.Equal(d.t, d.posted, d.clients.contents(int64(len(d.posted)))[0])
	// Each simulated client takes each post once: else the run would fail. That none
	// lacks one, the count says.
	d.clients.stop()
	d.clients.running.Wait()
	r := d.finish()
	assert.EqualValues(d.t, len(d.posted)*(troubledSessions+1), r.Summary.Delivered)
	return r.Traces
}

// spans returns the spans of that name.
func spans(trace report.Trace, name string) (found []report.Span) {
	for _, s := range trace.Spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

func TestASlowGuildIsSeen(t *testing.T) {
	d := inTrouble(t)
	d.trouble(http.MethodPost, trouble.SlowGuild, `{"delay_ms":300}`)
	d.say()
	d.trouble(http.MethodDelete, trouble.SlowGuild, "")
	d.until(func() bool { // The guild answers before its span ends.
		return strings.Contains(d.last().Explanation.Sentence, "guild 1 handled Publish")
	})
	d.say()
	var minutes struct {
		Processes []struct {
			All struct {
				Longest int64 `json:"longest_ns"`
			}
		}
	}
	d.until(func() bool {
		d.get(d.ops+"/console/api/timings?kind=guild&by=longest&minutes=2", &minutes)
		return len(minutes.Processes) > 0 && minutes.Processes[0].All.Longest >= int64(300e6)
	})
	traces := d.over()
	require.Len(t, traces, 2)
	assert.GreaterOrEqual(t, spans(traces[0], "guild Publish")[0].DurationNS, int64(300e6))
	assert.Less(t, spans(traces[1], "guild Publish")[0].DurationNS, int64(300e6))
}

// Those who post meanwhile wait for their turn, and their traces say so.
func TestPostsWaitForASlowGuild(t *testing.T) {
	d := inTrouble(t)
	d.trouble(http.MethodPost, trouble.SlowGuild, `{"delay_ms":200}`)
	d.trouble(http.MethodPost, trouble.Traffic, `{"per_second":20}`)
	d.happened(trouble.Traffic, "3 posts were stored")
	d.trouble(http.MethodDelete, trouble.Traffic, "")
	d.trouble(http.MethodDelete, trouble.SlowGuild, "")
	waited := 0
	d.clients.stop()
	d.clients.running.Wait()
	for _, trace := range d.finish().Traces {
		waited += len(spans(trace, "wait for earlier posts"))
		assert.Empty(t, orphans(trace))
	}
	assert.Positive(t, waited)
}

func TestSlowSessionsAreSeen(t *testing.T) {
	d := inTrouble(t)
	d.trouble(http.MethodPost, trouble.SlowSessions, `{"one_in":20,"delay_ms":300}`)
	for range 2 {
		d.say()
	}
	d.happened(trouble.SlowSessions, "6 messages took longer") // Those of three sessions in 41.
	d.trouble(http.MethodDelete, trouble.SlowSessions, "")
	d.until(func() bool { return d.measured("waybill.mailbox.slow", "waybill.process.kind", "session") >= 6 })
	slow, waited := 0, 0
	for _, trace := range d.over() {
		for _, s := range spans(trace, "session MessageCreate") {
			if s.DurationNS >= 200e6 {
				slow++
			}
			if wait, _ := s.Attributes["waybill.queue.duration"].(float64); wait > 0.1 {
				waited++
			}
		}
	}
	assert.Positive(t, slow, "the first of them left a span, sampled or not")
	assert.GreaterOrEqual(t, waited, 1, "and the second waited for it")
}

func TestAPanicOfASessionIsSeen(t *testing.T) {
	d := inTrouble(t)
	d.trouble(http.MethodPost, trouble.PanicSession, "")
	d.say()
	d.happened(trouble.PanicSession, "panicked")
	d.say()
	d.returned()
	assert.EqualValues(t, 1, d.measured("waybill.mailbox.failed", "waybill.process.kind", "session", "waybill.mailbox.reason", "panic"))
	traces := d.over()
	failed := 0
	for _, s := range spans(traces[0], "session MessageCreate") {
		if s.Error != "" {
			failed++
			assert.Contains(t, s.Error, trouble.ErrOnPurpose.Error())
		}
	}
	assert.Equal(t, 1, failed)
	assert.Contains(t, d.stderr.String(), trouble.ErrOnPurpose.Error())
}

func TestAPanicOfAGuildIsSeen(t *testing.T) {
	d := inTrouble(t)
	d.trouble(http.MethodPost, trouble.PanicGuild, "")
	status, _ := d.say()
	assert.Equal(t, http.StatusAccepted, status, "it is stored")
	d.say()
	d.until(func() bool { return d.measured("waybill.mailbox.restarts", "waybill.process.kind", "guild") == 1 })
	assert.EqualValues(t, 1, d.measured("waybill.mailbox.failed", "waybill.process.kind", "guild", "waybill.mailbox.reason", "panic"))
	assert.Equal(t, 1, d.lives().Restarts)
	traces := d.over()
	require.NotEmpty(t, traces)
	tries := spans(traces[0], "guild Publish")
	require.Len(t, tries, 2)
	assert.Contains(t, tries[0].Error, trouble.ErrOnPurpose.Error())
	assert.Empty(t, tries[1].Error)
}

func TestAFullMailboxIsSeen(t *testing.T) {
	d := inTrouble(t)
	d.trouble(http.MethodPost, trouble.FullMailbox, "")
	d.say()
	d.happened(trouble.FullMailbox, "hangs")
	_, a := d.say()
	assert.EqualValues(t, troubledSessions+1, a.Recipients)
	assert.EqualValues(t, troubledSessions, a.Delivered)
	d.until(func() bool { return d.measured("waybill.mailbox.fullest", "waybill.process.kind", "session") == 128 })
	refused := d.measured("waybill.mailbox.refused", "waybill.process.kind", "session", "waybill.mailbox.reason", "full")
	assert.GreaterOrEqual(t, refused, 2.0, "the post, and the last of what filled the mailbox")
	d.trouble(http.MethodDelete, trouble.FullMailbox, "")
	d.until(func() bool { return d.measured("waybill.mailbox.fullest", "waybill.process.kind", "session") == 0 })
	d.returned()
	assert.EqualValues(t, 1, d.view("1").Lost)
	traces := d.over()
	assert.EqualValues(t, 1, spans(traces[1], "broadcast sessions")[0].Attributes["waybill.fanout.refused"])
}
