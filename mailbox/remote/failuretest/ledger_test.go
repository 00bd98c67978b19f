// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package failuretest_test

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ledger is what the members of all nodes have handled.
type ledger struct {
	mu      sync.Mutex
	handled map[string][]int64 // Numbers of messages in their order, by node and member.
}

func newLedger() *ledger { return &ledger{handled: map[string][]int64{}} }

// hear keeps what was handled.
func (l *ledger) hear(r report) bool {
	if r.What != "handled" {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := r.Node + "/" + r.Member
	l.handled[key] = append(l.handled[key], r.Seq)
	return true
}

// of returns what one member has handled.
func (l *ledger) of(key string) []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.handled[key])
}

// keys returns which members of a node have handled anything.
func (l *ledger) keys(node string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var keys []string
	for key := range l.handled {
		if strings.HasPrefix(key, node+"/") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// last returns the number of the last message that a member has handled, 0 if there is none.
func (l *ledger) last(key string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if all := l.handled[key]; len(all) > 0 {
		return all[len(all)-1]
	}
	return 0
}

// count returns how many messages a member has handled.
func (l *ledger) count(key string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.handled[key])
}

// await waits until a member has handled so many more messages.
func (l *ledger) await(t *testing.T, key string, more int) {
	t.Helper()
	want := l.count(key) + more
	require.Eventually(t, func() bool { return l.count(key) >= want }, patience, poll,
		"%s has handled %d", key, want-more)
}

// increasing checks that a member has handled nothing twice, and in the order of sending.
func increasing(t *testing.T, key string, seqs []int64) {
	t.Helper()
	for i := 1; i < len(seqs); i++ {
		if seqs[i] <= seqs[i-1] {
			assert.Fail(t, "handled twice, or out of order", "%s: %d after %d", key, seqs[i], seqs[i-1])
			return
		}
	}
}

// gaps returns which of n numbers, from the first on, are not among seqs.
func gaps(seqs []int64, n, first int64) []int64 {
	var missing []int64
	have := map[int64]bool{}
	for _, seq := range seqs {
		have[seq] = true
	}
	for seq := first; seq < first+n; seq++ {
		if !have[seq] {
			missing = append(missing, seq)
		}
	}
	return missing
}

// read reads the counts that a program reports.
func read(t *testing.T, r report) stats {
	t.Helper()
	var s stats
	require.NoError(t, json.Unmarshal([]byte(r.Text), &s), r.Text)
	return s
}

// answers takes the reports of calls that have come so far, and checks that each ended in time:
// with an answer, or with an error. It returns how many had an answer.
func answers(t *testing.T, p *program) (answered, failed int) {
	t.Helper()
	for {
		select {
		case r := <-p.reports("asked"):
			assert.Less(t, time.Duration(r.N), askTimeout+patience/2, "a call ends in time")
			if r.Text == "" {
				answered++
			} else {
				failed++
			}
		default:
			return answered, failed
		}
	}
}
