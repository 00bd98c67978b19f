// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package timings

import (
	"time"

	"github.com/waybill-go/waybill/mailbox/internal/minutes"
)

// Config configures [New]. The zero value is the default.
type Config struct {
	// Bytes is how much memory the store may take, everything included. Zero or less
	// means the default, 16 MiB (16,777,216). Less than 256 KiB counts as 256 KiB. Memory is
	// taken when it is needed, and not given back.
	Bytes int
}

// Store keeps what processes did with their minutes. Make one with [New], and give it to a
// system (mailbox.WithTimings). It must not be copied.
type Store minutes.Store

// New returns an empty store.
func New(c Config) *Store { return (*Store)(minutes.New(c.Bytes)) }

func (s *Store) minutes() *minutes.Store { return (*minutes.Store)(s) }

// Usage is how much a store holds.
type Usage struct {
	// Bytes is what the store takes by its own count, and MaxBytes what it may take.
	Bytes    int `json:"bytes"`
	MaxBytes int `json:"max_bytes"`
	// Kept is how many minutes of processes the store holds, and Forgotten how many it
	// has forgotten since it was made.
	Kept      int    `json:"kept"`
	Forgotten uint64 `json:"forgotten"`
}

// Usage returns how much the store holds.
func (s *Store) Usage() Usage {
	u := s.minutes().Usage()
	return Usage{Bytes: u.Bytes, MaxBytes: u.Most, Kept: u.Records, Forgotten: u.Forgotten}
}

// Period is one minute or several in a row.
type Period struct {
	// Begin is the beginning of the first minute, in UTC.
	Begin time.Time `json:"begin"`
	// Length is how long the period is. Of the running minute it is what has passed.
	Length time.Duration `json:"length_ns"`
}

// periodOf returns the period from the first minute to the last, as of now.
func (s *Store) periodOf(first, last int64) Period {
	now, passed := s.minutes().Now()
	p := Period{Begin: time.Unix(first*60, 0).UTC(), Length: time.Duration(min(last+1, max(now, first))-first) * time.Minute}
	if first <= now && now <= last {
		p.Length += passed
	}
	return p
}

// Row is what is known of some messages.
type Row struct {
	// Type is the type of the messages, as in the names of spans. It is empty in a
	// row of all types.
	Type string `json:"type,omitempty"`
	// Count is the number of messages. If only some of them were timed, it is an estimate.
	Count uint64 `json:"count"`
	// Timed is how many messages were timed. If it is less than Count, then Count, Share,
	// Busy and Waited are estimates that rest on so many messages.
	Timed uint64 `json:"timed"`
	// Share is Busy by the length of the period: 1 is a process that is busy all the time. It
	// may be more than 1 for a kind, whose processes are busy side by side, for processes
	// that have the same ID, and for an estimate.
	Share float64 `json:"share"`
	// Busy is how long the handlings took, all together.
	Busy time.Duration `json:"busy_ns"`
	// Longest is how long the longest handling took.
	Longest time.Duration `json:"longest_ns"`
	// Waited is how long the messages had waited in the mailbox, all together.
	Waited time.Duration `json:"waited_ns"`
	// LongestWait is how long the message had waited that waited longest.
	LongestWait time.Duration `json:"longest_wait_ns"`
}

// MeanWait returns how long a message had waited on average.
func (r Row) MeanWait() time.Duration {
	if r.Count == 0 {
		return 0
	}
	return time.Duration(float64(r.Waited) / float64(r.Count))
}

// row returns the row of some sums in a period.
func (p Period) row(typ string, s *minutes.Sums) Row {
	r := Row{
		Type: typ, Count: s.Count, Timed: s.Timed, Busy: time.Duration(s.Busy), Longest: time.Duration(s.Longest),
		Waited: time.Duration(s.Waited), LongestWait: time.Duration(s.LongestWait),
	}
	if p.Length > 0 {
		r.Share = float64(r.Busy) / float64(p.Length)
	}
	return r
}
