// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package timings_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/timings"
)

// get asks store, and returns the answer.
func get(store *timings.Store, query string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/timings"+query, http.NoBody)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	answer := httptest.NewRecorder()
	store.ServeHTTP(answer, r)
	return answer
}

// loaded is a store of which the contents are known, 20 s after its minute began.
func loaded(t *testing.T) *timings.Store {
	t.Helper()
	sys, store, _ := timed(t, 1)
	guilds, sessions := newKind(t, sys, "guild"), newKind(t, sys, "session")
	send(t, spawn(t, guilds, "14"), create{3 * second}, update{second}, create{2 * second})
	time.Sleep(6 * second) // No process waits for a worker.
	send(t, spawn(t, guilds, "\x1b[31m\nevil"), create{1500 * time.Microsecond})
	time.Sleep(second)
	for range 2 {
		session := spawn(t, sessions, "a b")
		send(t, session, update{4 * second})
		time.Sleep(5 * second)
	}
	time.Sleep(3 * second)
	return store
}

func TestText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := loaded(t)
		for _, test := range []struct{ query, want string }{
			{"?format=text", `
2000-01-01 00:00 UTC, 20s, by share

   share   busy  messages  longest  mean wait  longest wait  process
  40.0 %     8s         2       4s         0s            0s  session "a b"
  40.0 %     8s         2       4s         0s            0s    update
  30.0 %     6s         3       3s     2.333s            4s  guild 14
  25.0 %     5s         2       3s         2s            4s    create
   5.0 %     1s         1       1s         3s            3s    update
   0.0 %  1.5ms         1    1.5ms         0s            0s  guild "\x1b[31m\nevil"
   0.0 %  1.5ms         1    1.5ms         0s            0s    create
`},
			{"?format=text&kind=guild&limit=1&by=name", `
2000-01-01 00:00 UTC, 20s, by name

  share   busy  messages  longest  mean wait  longest wait  process
  0.0 %  1.5ms         1    1.5ms         0s            0s  guild "\x1b[31m\nevil"
  0.0 %  1.5ms         1    1.5ms         0s            0s    create

and 1 more
`},
			{"?format=text&kind=session&id=a+b", `
session "a b", minute by minute

   share  busy  messages  longest  mean wait  longest wait  minute
  40.0 %    8s         2       4s         0s            0s  2000-01-01 00:00 UTC, 20s
  40.0 %    8s         2       4s         0s            0s    update
`},
		} {
			assert.Equal(t, test.want[1:], get(store, test.query).Body.String(), test.query)
		}
		kinds := get(store, "?show=kinds&format=text").Body.String()
		assert.Contains(t, kinds, "guild (2 processes)\n")
		assert.Contains(t, kinds, " of 16777216 bytes, 3 minutes of processes kept, 0 forgotten\n")
	})
}

func TestJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := loaded(t)
		var top timings.Top
		answer := get(store, "?by=longest&limit=2")
		assert.Equal(t, "application/json", answer.Header().Get("Content-Type"))
		require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &top))
		want := store.Top(timings.Query{By: timings.ByLongest, Limit: 2})
		require.True(t, top.Begin.Equal(want.Begin))
		top.Begin = want.Begin
		assert.Equal(t, want, top)
		assert.Equal(t, 1, top.More)

		var process struct {
			Kind, ID string
			Minutes  []timings.Minute
		}
		require.NoError(t, json.Unmarshal(get(store, "?kind=guild&id="+url.QueryEscape("\x1b[31m\nevil")).Body.Bytes(), &process))
		assert.Equal(t, "\x1b[31m\nevil", process.ID)
		require.Len(t, process.Minutes, 1)
		assert.Equal(t, 1500*time.Microsecond, process.Minutes[0].All.Busy)
		assert.JSONEq(t, `{"kind": "guild", "id": "nobody", "minutes": []}`, get(store, "?kind=guild&id=nobody").Body.String())

		var kinds struct {
			timings.Kinds

			Usage timings.Usage
		}
		require.NoError(t, json.Unmarshal(get(store, "?show=kinds").Body.Bytes(), &kinds))
		require.Len(t, kinds.Kinds.Kinds, 2)
		assert.EqualValues(t, 4, kinds.Kinds.Kinds[0].All.Count)
		assert.Equal(t, store.Usage(), kinds.Usage)
		assert.Equal(t, 3, kinds.Usage.Kept)
	})
}

func TestOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := loaded(t)
		for by, want := range map[timings.Order][]string{
			timings.ByShare:   {"a b", "14", "\x1b[31m\nevil"},
			timings.ByLongest: {"a b", "14", "\x1b[31m\nevil"},
			timings.ByWait:    {"14", "\x1b[31m\nevil", "a b"},
			timings.ByName:    {"\x1b[31m\nevil", "14", "a b"},
			-1:                {"\x1b[31m\nevil", "14", "a b"},
		} {
			for limit := 1; limit <= len(want)+1; limit++ {
				top := store.Top(timings.Query{By: by, Limit: limit})
				var ids []string
				for _, p := range top.Processes {
					ids = append(ids, p.ID)
				}
				assert.Equal(t, want[:min(limit, len(want))], ids, "by %v", by)
				assert.Equal(t, max(len(want)-limit, 0), top.More)
			}
		}
	})
}

func TestLimitsOfQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys, store, _ := timed(t, 1)
		kind := newKind(t, sys, "session")
		for i := range 1100 {
			send(t, spawn(t, kind, strconv.Itoa(i)), create{})
		}
		drain(t, sys)
		assert.Len(t, store.Top(timings.Query{Limit: -1}).Processes, 20)
		assert.Len(t, store.Top(timings.Query{Limit: 1 << 40}).Processes, 1000)
		for _, q := range []timings.Query{
			{Minutes: 1 << 40}, {Minutes: -5}, {Last: time.Now().Add(100 * time.Hour)}, {},
		} {
			assert.Len(t, store.Top(q).Processes, 20)
		}
		time.Sleep(30 * time.Minute)
		for _, q := range []timings.Query{
			{Last: time.Now().Add(-1000 * time.Hour)}, {Last: time.Unix(0, 1)}, {Last: time.Now().Add(-time.Hour)}, {},
		} {
			top := store.Top(q)
			assert.Empty(t, top.Processes)
			assert.GreaterOrEqual(t, top.Length, time.Duration(0))
			assert.Empty(t, store.Kinds(q).Kinds)
		}
		assert.Len(t, store.Top(timings.Query{Minutes: 31}).Processes, 20)
		assert.Len(t, store.Top(timings.Query{Last: time.Now().Add(-30 * time.Minute)}).Processes, 20)
	})
}

func TestBadRequestsAreRefused(t *testing.T) {
	store := timings.New(timings.Config{})
	for query, reason := range map[string]string{
		"?by=size":                     `by: "size" is not one of share, longest, wait, name`,
		"?by=":                         `by: "" is not one of`,
		"?limit=0":                     `limit: "0" is not a number from 1 to 1000`,
		"?limit=1001":                  "limit",
		"?limit=x":                     "limit",
		"?limit=99999999999999999999":  "limit",
		"?minutes=61":                  "from 1 to 60",
		"?minutes=-1":                  "minutes",
		"?last=yesterday":              "last",
		"?format=xml":                  "json, text",
		"?show=all":                    "top, kinds",
		"?colour=red":                  `"colour" is no parameter`,
		"?limit=1&limit=2":             `"limit" is there 2 times`,
		"?id=14":                       "id needs a kind: kind=guild&id=14",
		"?id=14&kind=guild&limit=3":    "limit is of no use",
		"?id=14&kind=guild&show=kinds": "show is of no use",
		"?limit=%zz":                   "malformed",
	} {
		answer := get(store, query)
		assert.Equal(t, http.StatusBadRequest, answer.Code, query)
		assert.Contains(t, answer.Body.String(), reason, query)
		assert.Contains(t, answer.Header().Get("Content-Type"), "text/plain", query)
	}
	for _, query := range []string{"", "?", "?limit=1000&minutes=60&by=wait&last=2000-01-01T00:00:00Z", "?kind=&show=top"} {
		assert.Equal(t, http.StatusOK, get(store, query).Code, query)
	}
}

func TestMethods(t *testing.T) {
	store := timings.New(timings.Config{})
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		answer := httptest.NewRecorder()
		store.ServeHTTP(answer, httptest.NewRequest(method, "/", http.NoBody))
		assert.Equal(t, http.StatusMethodNotAllowed, answer.Code)
		assert.Equal(t, "GET, HEAD", answer.Header().Get("Allow"))
	}
	server := httptest.NewServer(store)
	defer server.Close()
	defer server.Client().CloseIdleConnections()
	for host, want := range map[string]int{"": http.StatusOK, "localhost": http.StatusOK, "evil.example": http.StatusForbidden} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, server.URL, http.NoBody)
		require.NoError(t, err)
		r.Host = host
		answer, err := server.Client().Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		assert.Equal(t, want, answer.StatusCode, host)
	}
}

func TestAccept(t *testing.T) {
	store := timings.New(timings.Config{})
	for _, test := range []struct {
		accept, query string
		text          bool
	}{
		{"", "", false},
		{"*/*", "", false},
		{"text/html,application/xhtml+xml,*/*;q=0.8", "", false},
		{"text/plain", "", true},
		{"text/html, text/plain;q=0.9", "", true},
		{"text/plain, application/json", "", false},
		{"text/plain", "?format=json", false},
		{"application/json", "?format=text", true},
		{"///", "", false},
	} {
		answer := get(store, test.query, "Accept", test.accept)
		assert.Equal(t, test.text, strings.HasPrefix(answer.Header().Get("Content-Type"), "text/plain"), test.accept)
		assert.Equal(t, "nosniff", answer.Header().Get("X-Content-Type-Options"))
	}
}

// Estimates are marked.
func TestEstimatesAreMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys, store, _ := timed(t, 2)
		session := spawn(t, newKind(t, sys, "session"), "1")
		for range 200 { // None of them is timed once in 2²⁰⁰ runs.
			send(t, session, create{time.Millisecond})
		}
		drain(t, sys)
		for line := range strings.Lines(strings.SplitN(get(store, "?format=text").Body.String(), "\n", 4)[3]) {
			assert.Equal(t, 4, strings.Count(line, "~"), line)
		}
	})
}
