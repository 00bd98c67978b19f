// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package members_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/mailbox/remote/internal/members"
)

func TestAnnouncements(t *testing.T) {
	table := newTable("a")
	now := start
	send, wait := table.Tick(now, 5)
	assert.JSONEq(t, `{"node":"a","session":1,"number":1,"members":5,"ask":true}`, string(send), "who begins asks")
	assert.Equal(t, members.SignOfLife, wait)

	send, wait = table.Tick(now+10*time.Millisecond, 6)
	assert.Nil(t, send, "changes are coalesced")
	assert.Equal(t, 40*time.Millisecond, wait)
	send, _ = table.Tick(now+50*time.Millisecond, 8)
	assert.JSONEq(t, `{"node":"a","session":1,"number":2,"members":8}`, string(send))

	send, wait = table.Tick(now+550*time.Millisecond, 8)
	assert.Nil(t, send)
	assert.Equal(t, 500*time.Millisecond, wait)
	send, _ = table.Tick(now+1050*time.Millisecond, 8)
	assert.JSONEq(t, `{"node":"a","session":1,"number":3,"members":8}`, string(send), "a sign of life")

	assert.True(t, table.Receive(now+1060*time.Millisecond, []byte(`{"node":"b","session":1,"number":1,"members":0,"ask":true}`)).Ask)
	send, wait = table.Tick(now+1060*time.Millisecond, 8)
	assert.Nil(t, send, "answers are coalesced too")
	assert.Equal(t, 40*time.Millisecond, wait)
	send, _ = table.Tick(now+1100*time.Millisecond, 8)
	assert.JSONEq(t, `{"node":"a","session":1,"number":4,"members":8}`, string(send))

	table.Ask()
	send, _ = table.Tick(now+1150*time.Millisecond, 8)
	assert.JSONEq(t, `{"node":"a","session":1,"number":5,"members":8,"ask":true}`, string(send))
	assert.JSONEq(t, `{"node":"a","session":1,"number":6,"members":0,"leave":true}`, string(table.Leave()))
}

func TestView(t *testing.T) {
	table := newTable("a")
	now := start
	for i, data := range [][]byte{
		announced("c", 1, 1, 3), announced("b", 1, 1, 10), announced("d", 1, 1, 0), announced("a", 1, 7, 99), announced("c", 1, 2, 4),
	} {
		assert.Zero(t, table.Receive(now+time.Duration(i), data))
	}
	view := table.View()
	assert.Equal(t, &members.View{
		Nodes:   []members.Node{{"b", "waybill.group.g.b", 10}, {"c", "waybill.group.g.c", 4}},
		Members: 14, Known: 3,
	}, view)
	assert.Same(t, view, table.View(), "nothing has changed")

	table.Receive(now, announced("c", 1, 1, 50))
	assert.Same(t, view, table.View(), "overtaken")
	table.Receive(now, announced("c", 1, 3, 4))
	assert.Same(t, view, table.View(), "a sign of life")
	table.Receive(now, announced("c", 2, 1, 5))
	assert.Equal(t, 15, table.View().Members, "started again")
	table.Receive(now, announced("c", 1, 4, 50))
	assert.Equal(t, 15, table.View().Members, "from before it was started again")
	table.Receive(now, []byte(`{"node":"c","session":1,"number":5,"members":0,"leave":true}`))
	assert.Equal(t, 15, table.View().Members, "the one before has left")
	table.Receive(now, []byte(`{"node":"c","session":2,"number":5,"members":0,"leave":true,"later":[1]}`))
	assert.Equal(t, 10, table.View().Members)
	table.Receive(now, []byte(`{"node":"x","session":2,"number":5,"members":0,"leave":true}`))
	assert.Equal(t, members.Heard{Namesake: true}, table.Receive(now, announced("a", 2, 1, 99)))
	assert.Equal(t, members.Stats{Stale: 3, Left: 1, Namesakes: 1}, table.Stats())
	assert.Equal(t, 14, view.Members, "a view never changes")
}

// A node that says nothing is gone within 3 s, and not before it has missed two signs of life.
func TestSilence(t *testing.T) {
	for _, step := range []time.Duration{time.Millisecond, 50 * time.Millisecond, 0} {
		table := newTable("a")
		now := start
		_, wait := table.Tick(now, 0)
		table.Receive(now, announced("b", 1, 1, 10))
		for table.View().Known > 0 {
			if step > 0 {
				now += step
			} else {
				now += wait // As long as Tick says.
			}
			_, wait = table.Tick(now, 0)
			require.Positive(t, wait)
			require.LessOrEqual(t, now-start, 3*time.Second)
		}
		assert.Greater(t, now-start, 2*members.SignOfLife+500*time.Millisecond)
		assert.EqualValues(t, 1, table.Stats().Silent)
		assert.Equal(t, 0, table.View().Members)
		table.Receive(now, announced("b", 1, 1, 10))
		assert.Equal(t, 10, table.View().Members, "back again")
	}
}

// If this program has stood still, it has not heard anybody, which says nothing of them.
func TestStandingStill(t *testing.T) {
	table := newTable("a")
	now := start
	table.Tick(now, 0)
	table.Receive(now, announced("b", 1, 1, 10))
	table.Receive(now, announced("dead", 1, 1, 10))
	now += time.Hour
	table.Tick(now, 0)
	assert.Equal(t, 2, table.View().Known)
	for range 10 {
		now += 200 * time.Millisecond
		table.Receive(now, announced("b", 1, uint64(now-start), 10))
		table.Tick(now, 0)
	}
	assert.Equal(t, []members.Node{{"b", "waybill.group.g.b", 10}}, table.View().Nodes, "and the dead are found all the same")

	now += time.Hour
	table.Receive(now, announced("c", 1, 1, 10)) // Before the first tick.
	assert.Equal(t, 2, table.View().Known)
	last := now
	for table.View().Known > 0 {
		now += 100 * time.Millisecond
		table.Tick(now, 0)
	}
	assert.LessOrEqual(t, now-last, 3*time.Second)
}

// Whatever strangers announce, it is bounded or ignored, and counted.
func TestHostileAnnouncements(t *testing.T) {
	table := newTable("a")
	hostile := []string{
		``, `null`, `[]`, `{}`, `7`, `"a"`, `{"node":"b"`, "\xff",
		`{"node":"","session":1,"number":1,"members":1}`,
		`{"node":"b.c","session":1,"number":1,"members":1}`,
		`{"node":"*","session":1,"number":1,"members":1}`,
		`{"node":">","session":1,"number":1,"members":1}`,
		`{"node":"b c","session":1,"number":1,"members":1}`,
		"{\"node\":\"b\xff\",\"session\":1,\"number\":1,\"members\":1}",
		`{"node":"b\r\nPUB x 0","session":1,"number":1,"members":1}`,
		`{"node":"` + strings.Repeat("b", 256) + `","session":1,"number":1,"members":1}`,
		`{"node":"b","session":0,"number":1,"members":1}`,
		`{"node":"b","session":-1,"number":1,"members":1}`,
		`{"node":"b","session":1,"number":0,"members":1}`,
		`{"node":"b","session":1,"number":1,"members":-1}`,
		`{"node":"b","session":1,"number":1,"members":1.5}`,
		`{"node":"b","session":1,"number":1,"members":1e300}`,
		fmt.Sprintf(`{"node":"b","session":1,"number":1,"members":%d}`, fanout.MaxSize+1),
		`{"node":"b","session":1,"number":1,"members":9223372036854775808}`,
		`{"node":"b","session":1,"number":1,"members":"1"}`,
		`{"node":["b"],"session":1,"number":1,"members":1}`,
		`{"node":"b","session":1,"number":1,"members":1,"ask":1}`,
		`{"node":"b","session":1,"number":1,"members":1,"x":"` + strings.Repeat("x", 1024) + `"}`,
		strings.Repeat("[", 1024),
	}
	for _, data := range hostile {
		assert.Zero(t, table.Receive(start, []byte(data)), data)
	}
	assert.Equal(t, members.Stats{Malformed: uint64(len(hostile))}, table.Stats())
	assert.Zero(t, table.View().Known)
}

// A flood of nodes fills the table, and no more; those that were known before stay.
func TestFlood(t *testing.T) {
	table := newTable("a")
	now := start
	table.Receive(now, announced("real", 1, 1, 10))
	const nodes = 3 * members.DefaultMaxNodes
	for i := range nodes {
		table.Receive(now, announced(fmt.Sprint("fake", i), math.MaxUint64, math.MaxUint64, fanout.MaxSize))
	}
	table.Receive(now, announced("real", 1, 2, 11))
	view := table.View()
	assert.Equal(t, members.DefaultMaxNodes, view.Known)
	assert.Equal(t, (members.DefaultMaxNodes-1)*fanout.MaxSize+11, view.Members)
	assert.EqualValues(t, nodes-members.DefaultMaxNodes+1, table.Stats().Beyond)
	for i := range uint64(35) { // The flood is over.
		now += 100 * time.Millisecond
		table.Receive(now, announced("real", 1, 3+i, 12))
		table.Tick(now, 0)
	}
	assert.Equal(t, []members.Node{{"real", "waybill.group.g.real", 12}}, table.View().Nodes)
}

// However often others ask, and however often the size changes, there are at most 20
// announcements a second.
func TestAnnouncementsAreLimited(t *testing.T) {
	table := newTable("a")
	sent := 0
	for i := range uint64(10_000) {
		now := start + time.Duration(i)*time.Millisecond
		table.Receive(now, fmt.Appendf(nil, `{"node":"b","session":1,"number":%d,"members":1,"ask":true}`, i+1))
		if send, wait := table.Tick(now, int(i)); send != nil {
			sent++
		} else {
			require.LessOrEqual(t, wait, members.Coalesce)
		}
	}
	assert.Equal(t, 200, sent)
}
