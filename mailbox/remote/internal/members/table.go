// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package members

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// The times of the protocol.
const (
	// SignOfLife is how often a node announces itself at least.
	SignOfLife = time.Second
	// Coalesce is how long a node waits at least between two announcements.
	Coalesce = 50 * time.Millisecond
	// Silence is how long a node may be silent until it is gone. That is a little less than
	// the 3 s that are promised, and two lost signs of life.
	Silence = 2900 * time.Millisecond

	// awake is the longest time between two calls that counts. If nobody has called a table
	// for longer, this program has stood still, and the silence of others says nothing.
	awake = time.Second
)

// DefaultMaxNodes is how many other nodes a table holds by default.
const DefaultMaxNodes = 1024

// Config configures a table.
type Config struct {
	// Node is this node: the token of its ID, as package subject makes it. Session is the time
	// at which the table is made, in nanoseconds since 1970. Neither is empty.
	Node    string
	Session uint64
	// Prefix comes before a node in the subject of that node.
	Prefix string
	// MaxNodes is how many other nodes there may be. Zero means [DefaultMaxNodes].
	MaxNodes int
}

// Node is another node that has members.
type Node struct {
	Name    string // The token of its ID.
	Subject string // For messages to its members.
	Members int    // As announced; more than 0.
}

// View is what is known of all other nodes. It never changes.
type View struct {
	Nodes   []Node // Those that have members, by name.
	Members int    // Their sum.
	Known   int    // Nodes, with those that have no members.
}

// Stats counts what a table was told. All grow.
type Stats struct {
	// Malformed counts the announcements that made no sense, and Beyond those of new nodes
	// for which there was no room. Both were ignored.
	Malformed, Beyond uint64
	// Stale counts announcements that a later one had overtaken.
	Stale uint64
	// Namesakes counts announcements of other nodes with this node's ID.
	Namesakes uint64
	// Left and Silent count nodes that are gone: those that said so, and those that did not.
	Left, Silent uint64
}

// Table is what one node knows of the others, and what it has to tell them. Times are
// readings of one monotonic clock, whatever that counts from. Any number of goroutines may
// use it.
type Table struct {
	config Config

	mu    sync.Mutex
	nodes map[string]*known
	view  *View // nil if it has to be made anew
	stats Stats

	called bool
	last   time.Duration // The latest call.
	asleep time.Duration // How long nobody has called, in all.

	number    uint64        // Of the last announcement.
	sent      time.Duration // When that was.
	announced int           // What it said.
	ask       bool          // The next one asks.
	owed      bool          // Somebody has asked.
}

// known is a node that was heard of.
type known struct {
	subject         string
	session, number uint64
	members         int
	heard           time.Duration // While awake.
}

// New makes a table. Its first announcement is due at once, and asks.
func New(config Config) *Table {
	if config.MaxNodes <= 0 {
		config.MaxNodes = DefaultMaxNodes
	}
	return &Table{config: config, nodes: make(map[string]*known), view: &View{}, ask: true}
}

// View returns what is known of the others.
func (t *Table) View() *View {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.view != nil {
		return t.view
	}
	v := &View{Nodes: make([]Node, 0, len(t.nodes)), Known: len(t.nodes)}
	for name, k := range t.nodes {
		if k.members > 0 {
			v.Nodes = append(v.Nodes, Node{Name: name, Subject: k.subject, Members: k.members})
			v.Members += k.members
		}
	}
	slices.SortFunc(v.Nodes, func(a, b Node) int { return cmp.Compare(a.Name, b.Name) })
	t.view = v
	return v
}

// Stats returns what was counted until now.
func (t *Table) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stats
}

// Heard is what an announcement means beyond what it says of its node.
type Heard struct {
	Ask      bool // An answer is due: call [Table.Tick] soon.
	Namesake bool // Another node has the ID of this one.
}

// Receive takes an announcement that has arrived, one's own included. It neither changes
// nor keeps data.
func (t *Table) Receive(now time.Duration, data []byte) Heard {
	a, ok := decode(data)
	t.mu.Lock()
	defer t.mu.Unlock()
	now = t.advance(now)
	switch {
	case !ok:
		t.stats.Malformed++
		return Heard{}
	case a.Node == t.config.Node && a.Session == t.config.Session:
		return Heard{}
	case a.Node == t.config.Node:
		t.stats.Namesakes++
		return Heard{Namesake: true}
	}
	k := t.nodes[a.Node]
	switch {
	case k != nil && (a.Session < k.session || a.Session == k.session && a.Number <= k.number):
		t.stats.Stale++
		return Heard{}
	case a.Leave:
		if k != nil {
			t.stats.Left++
			t.forget(a.Node)
		}
		return Heard{}
	case k == nil && len(t.nodes) >= t.config.MaxNodes:
		t.stats.Beyond++
		return Heard{}
	case k == nil:
		k = &known{subject: t.config.Prefix + a.Node}
		t.nodes[a.Node] = k
		t.view = nil
	}
	if k.members != a.Members {
		t.view = nil
	}
	k.session, k.number, k.members, k.heard = a.Session, a.Number, a.Members, now
	t.owed = t.owed || a.Ask
	return Heard{Ask: a.Ask}
}

// Tick forgets the nodes that are silent, and returns the announcement that has to be sent
// now, nil if there is none. members is how many members this node has. Call it again after
// wait at the latest, and when members has changed or an answer is due.
func (t *Table) Tick(now time.Duration, members int) (send []byte, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	heard := t.advance(now)
	wait = SignOfLife
	for name, k := range t.nodes {
		silent := heard - k.heard
		if silent >= Silence {
			t.stats.Silent++
			t.forget(name)
			continue
		}
		wait = min(wait, Silence-silent)
	}
	since := now - t.sent
	urgent := t.ask || t.owed || members != t.announced
	switch {
	case t.number == 0, since >= SignOfLife, urgent && since >= Coalesce:
		return t.announce(now, members), wait
	case urgent:
		return nil, min(wait, Coalesce-since)
	default:
		return nil, min(wait, SignOfLife-since)
	}
}

func (t *Table) announce(now time.Duration, members int) []byte {
	t.number++
	a := announcement{
		Node: t.config.Node, Session: t.config.Session, Number: t.number, Members: members, Ask: t.ask,
	}
	t.sent, t.announced, t.ask, t.owed = now, members, false, false
	return a.encode()
}

// Ask has all others announce themselves, with the next announcement: after this node was
// cut off, for instance.
func (t *Table) Ask() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ask = true
}

// Leave returns the last announcement of this node: that it is gone.
func (t *Table) Leave() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.number++
	return announcement{Node: t.config.Node, Session: t.config.Session, Number: t.number, Leave: true}.encode()
}

// advance returns the present without the time in which this program has stood still.
func (t *Table) advance(now time.Duration) time.Duration {
	if t.called {
		t.asleep += max(now-t.last-awake, 0)
	}
	t.called, t.last = true, now
	return now - t.asleep
}

func (t *Table) forget(name string) {
	delete(t.nodes, name)
	t.view = nil
}
