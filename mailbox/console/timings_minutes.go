// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/waybill-go/waybill/mailbox/timings"
)

const (
	shownMinutes   = 15
	shownProcesses = 8
	maxSharedKinds = 64
)

// minutesDocument says what the busiest processes did in the last minutes, minute by
// minute, beside what all did.
type minutesDocument struct {
	// Minutes are of all processes, the oldest first.
	Minutes []minuteTotal `json:"minutes"`
	// Processes are the busiest in these minutes together, the busiest first.
	Processes []processMinutes `json:"processes"`
}

type minuteTotal struct {
	timings.Period

	// Share is how much of the minute all processes were busy, all together: 2 if two
	// were busy all the time.
	Share float64 `json:"share"`
	// Estimated is true if not all messages were timed.
	Estimated bool `json:"estimated,omitempty"`
}

type processMinutes struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	// Shares has the share of each of the minutes.
	Shares    []float64 `json:"shares"`
	Estimated bool      `json:"estimated,omitempty"`
}

// sharedMinutes has the answers by the kind that is asked for. To look at all that is kept
// takes some milliseconds for each minute, so those who ask at about the same time share one.
type sharedMinutes struct {
	mu     sync.Mutex
	byKind map[string]*shared[minutesDocument]
}

func (s *sharedMinutes) of(kind string) *shared[minutesDocument] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byKind[kind] == nil {
		if s.byKind == nil || len(s.byKind) >= maxSharedKinds {
			s.byKind = make(map[string]*shared[minutesDocument])
		}
		s.byKind[kind] = &shared[minutesDocument]{}
	}
	return s.byKind[kind]
}

func (c *Console) serveMinutes(w http.ResponseWriter, r *http.Request) {
	store := c.config.Timings
	if store == nil {
		fail(w, http.StatusNotFound, "this program shows no timings here: its console was made without Config.Timings")
		return
	}
	kind := r.URL.Query().Get("kind")
	if len(kind) > maxFilterBytes {
		fail(w, http.StatusBadRequest, fmt.Sprintf("kind has more than %d bytes", maxFilterBytes))
		return
	}
	current := c.minutes.of(kind).current(r.Context(), func(context.Context) *minutesDocument {
		return newMinutesDocument(store, kind)
	})
	if current == nil {
		fail(w, http.StatusServiceUnavailable, "the minutes could not be read")
		return
	}
	answer(w, current)
}

func newMinutesDocument(store *timings.Store, kind string) *minutesDocument {
	top := store.Top(timings.Query{Kind: kind, Minutes: shownMinutes, Limit: shownProcesses})
	d := &minutesDocument{Processes: make([]processMinutes, 0, len(top.Processes))}
	position := make(map[time.Time]int, shownMinutes)
	for begin := top.Begin; begin.Before(top.Begin.Add(top.Length)) || len(d.Minutes) == 0; begin = begin.Add(time.Minute) {
		all := store.Kinds(timings.Query{Kind: kind, Last: begin})
		m := minuteTotal{Period: all.Period}
		for i := range all.Kinds {
			m.Share += all.Kinds[i].All.Share
			m.Estimated = m.Estimated || estimated(&all.Kinds[i].All)
		}
		position[begin] = len(d.Minutes)
		d.Minutes = append(d.Minutes, m)
	}
	for i := range top.Processes {
		p := &top.Processes[i]
		shown := processMinutes{Kind: p.Kind, ID: p.ID, Shares: make([]float64, len(d.Minutes)), Estimated: estimated(&p.All)}
		for _, minute := range store.Process(p.Kind, p.ID) {
			if at, ok := position[minute.Begin]; ok {
				shown.Shares[at] = minute.All.Share
			}
		}
		d.Processes = append(d.Processes, shown)
	}
	return d
}

func estimated(r *timings.Row) bool { return r.Timed < r.Count }
