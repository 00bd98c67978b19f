// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package failuretest_test

import (
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// interval is the time between two messages of a source.
const interval = 2 * time.Millisecond

// What must hold when the server of NATS is killed, and started again some time later, while one
// node sends to a process of another and calls it: both go on without a person. Nothing is
// handled twice or out of order. What was sent and not handled is the difference of what one
// node has sent and the other has received, and all of it was sent between the kill and the
// return of both: what is sent while there is no server waits in the sender, and is lost if the
// receiver comes back later than the sender. Each call ends in time.
func TestServerIsKilled(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	url := "nats://127.0.0.1:" + strconv.Itoa(port)
	server := launch(t, setup{Role: "server", Name: "server", Port: port}, nil)
	handled := newLedger()
	sink := launch(t, setup{Role: "sink", Name: "sink", URL: url}, handled.hear)
	source := launch(t, setup{Role: "source", Name: "source", URL: url, Interval: interval}, nil)
	const key = "sink/"

	kills := long(t, 2, 20)
	for range kills {
		handled.await(t, key, 100)
		answers(t, source)
		server.kill()
		time.Sleep(100 * interval) // The source goes on sending meanwhile.
		server = launch(t, setup{Role: "server", Name: "server", Port: port}, nil)
		handled.await(t, key, 100)
		require.Eventually(t, func() bool {
			answered, _ := answers(t, source)
			return answered > 0
		}, patience, poll, "calls are answered again")
	}
	last := source.ask("stop")
	require.Empty(t, last.Text)
	sent := read(t, source.ask("stats"))
	require.Eventually(t, func() bool { return handled.last(key) == last.N }, patience, poll, "the last one arrives")
	received := read(t, sink.ask("stats"))
	source.finish()
	sink.finish()

	seqs := handled.of(key)
	increasing(t, key, seqs)
	lost := gaps(seqs, last.N, 1)
	t.Logf("%d sent, %d lost in %d kills", last.N, len(lost), kills)
	assert.EqualValues(t, last.N, len(seqs)+len(lost))
	assert.Zero(t, received.Node.Dropped+received.Node.Refused.Total()+received.Node.Undecodable)
	assert.Zero(t, sent.Node.NotSent.Total(), "%+v", sent.Node.NotSent)
	calls := sent.Node.Sent - uint64(last.N)
	assert.Equal(t, received.Node.Received, uint64(len(seqs))+received.Node.Served.Calls)
	assert.GreaterOrEqual(t, calls, received.Node.Served.Calls)
	assert.Zero(t, sent.Node.Calls.Pending)
	assert.LessOrEqual(t, runs(lost), kills, "each kill costs one stretch: %v", lost)
}

// runs returns of how many pieces without a hole the numbers consist.
func runs(seqs []int64) (n int) {
	for i, seq := range seqs {
		if i == 0 || seq != seqs[i-1]+1 {
			n++
		}
	}
	return n
}

// freePort returns a port that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// What must hold when a node is killed while another one sends to its process and calls it: the
// calls end in time, at first because nobody answers, then at once because nobody serves them.
// When the node is back, messages get there again without a person. Nothing is handled twice;
// what was sent in between is lost, and is the difference of what was sent and received.
func TestServingNodeIsKilled(t *testing.T) {
	t.Parallel()
	server := launch(t, setup{Role: "server", Name: "server", Port: freePort(t)}, nil)
	url := "nats://127.0.0.1:" + strconv.Itoa(server.setup.Port)
	handled := newLedger()
	sink := launch(t, setup{Role: "sink", Name: "sink", URL: url}, handled.hear)
	source := launch(t, setup{Role: "source", Name: "source", URL: url, Interval: interval}, nil)
	const key = "sink/"
	for range long(t, 2, 20) {
		handled.await(t, key, 100)
		answers(t, source)
		sink.kill()
		require.Eventually(t, func() bool {
			_, failed := answers(t, source)
			return failed > 2 // With one at a time these take more than a second, unless they fail at once.
		}, patience, poll)
		sink = launch(t, setup{Role: "sink", Name: "sink", URL: url}, handled.hear)
		handled.await(t, key, 100)
		require.Eventually(t, func() bool {
			answered, _ := answers(t, source)
			return answered > 0
		}, patience, poll, "calls are answered again")
	}
	last := source.ask("stop")
	require.Empty(t, last.Text)
	require.Eventually(t, func() bool { return handled.last(key) == last.N }, patience, poll, "the last one arrives")
	sent := read(t, source.ask("stats"))
	source.finish()
	sink.finish()
	seqs := handled.of(key)
	increasing(t, key, seqs)
	assert.GreaterOrEqual(t, sent.Node.Sent, uint64(last.N))
	assert.Zero(t, sent.Node.NotSent.Total())
	t.Logf("%d sent, %d lost", last.N, len(gaps(seqs, last.N, 1)))
}
