// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"container/list"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/mailbox/internal/contexts"
	"github.com/waybill-go/waybill/mailbox/internal/scheduler"
)

// process is a mailbox and who empties it. It is small, for there may be a
// million: most need no more than the one message they are woken for, which
// waits in slot; the rest is in cold, made when it is first needed.
//
// It is also the context that its handler gets (process_context.go).
type process[M any] struct {
	// What every message needs comes first, in as few cache lines as can be: the
	// members of a large broadcast are in none.
	kind         *Kind[M]
	state        state
	slot         slot[M]                 // of whoever made the process busy, then of its worker
	handler      Handler[M]              // nil without an instance; the worker's
	cold         atomic.Pointer[cold[M]] // set once
	cancellation contexts.Cancellation

	instance   *Instance[M] // nil without one; the worker's
	factory    Factory[M]   // nil if it was spawned with its handler
	id         string
	neighbours memberLinks // guarded by the system's mu
}

// cold is the part of a process that most do without.
type cold[M any] struct {
	// mu is taken after a system's and before a group's.
	mu      sync.Mutex
	box     ring[M]   // messages waiting
	batch   uint64    // how many were taken in hand at once
	before  uint64    // how many the process was done with before those
	first   int       // where the first of those is in hand
	ahead   int       // how many of those waited when it was last looked: no more now
	waiters list.List // of *waitingSender[M]

	failed       uint64
	panicked     uint64 // of those
	exited       uint64 // of those
	refused      Refused
	dead         DeadLetters
	lost         uint64     // messages done with that are dead letters
	fatal        error      // the failure that is to end the process
	reason       deadReason // what that makes of the messages left
	err          error      // what has ended it
	done         chan struct{}
	backoff      *time.Timer // while the process is pausing
	groups       []membership[M]
	open         map[*pending]struct{}     // calls left to be answered later
	timers       map[runningTimer]struct{} // that have not ended
	links        map[*endLink]struct{}
	passivations []chan<- error // of those who have asked for a passivation; each holds one

	_ [64]byte // What follows is written for every message, by the worker alone.

	hand     ring[M]         // taken from the box
	sent     int64           // when the message in hand was sent
	history  *failureHistory // nil while there were none
	pause    time.Duration
	progress progress // with the messages in hand
}

// waitingSender is a sender that waits for room.
type waitingSender[M any] struct {
	slot   slot[M]
	result chan error // holds one
}

// runningTimer is a timer that sends to the process, and ends with it.
type runningTimer interface {
	// stop ends the timer, and has the process forget it. It reports whether the timer
	// had not ended yet.
	stop() bool
	// cancel is stop for a process that has forgotten it.
	cancel() bool
	// byInstance reports whether the process's instance has set the timer for itself.
	byInstance() bool
}

// membership is a group that must hear of a member's end.
type membership[M any] interface{ drop(p *process[M]) }

func (p *process[M]) siblings() *memberLinks { return &p.neighbours }

func (p *process[M]) totals() *kindTotals { return p.kind.totals }

// ensureCold returns p.cold, making it if need be.
func (p *process[M]) ensureCold() *cold[M] {
	if c := p.cold.Load(); c != nil {
		return c
	}
	p.cold.CompareAndSwap(nil, new(cold[M]))
	return p.cold.Load()
}

// looksAtLock is how often a lock is tried before the goroutine goes to sleep: for 0.1 to 0.2
// microseconds. Whoever holds it needs a tenth of that, and is done by then unless it was
// interrupted. A [sync.Mutex] puts the goroutine to sleep at once where others wait to run.
// With eight senders to one process, that took longer than all else.
const looksAtLock = 128

// lock locks what is behind the slot.
func (p *process[M]) lock() *cold[M] {
	c := p.cold.Load()
	if c == nil {
		c = p.ensureCold()
	}
	for range looksAtLock {
		if c.mu.TryLock() {
			return c
		}
	}
	c.mu.Lock()
	return c
}

// measure implements member.
func (p *process[M]) measure(n *Stats, m *pressure, now int64) {
	if m != nil {
		m.age(p.inlineSent(), now)
	}
	st := p.state.Load()
	if p.cold.Load() == nil { // Then all was in that one word: in this order only.
		*n = countsOf(st)
		return
	}
	c := p.lock()
	defer c.mu.Unlock()
	*n = c.countsLocked(p.state.Load())
	if m != nil {
		m.fill(c.waitingLocked(), p.kind.capacity)
		m.age(c.oldestLocked(), now)
	}
}

// countsOf counts what is in the state alone.
func countsOf(st uint64) Stats {
	n := Stats{Handled: doneCount(st)}
	if st&flagInline != 0 {
		n.Queued = 1
	}
	n.Accepted = n.Handled + n.Queued
	return n
}

// countsLocked counts, exactly and at any time: everything that happens to a
// message changes one word in one step, or happens under the lock.
func (c *cold[M]) countsLocked(st uint64) Stats {
	n := countsOf(st)
	inHand := c.inHand()                   // Once: it changes all the time.
	n.Queued += uint64(c.box.len) + inHand //nolint:gosec // A length.
	n.Handled += c.before + c.batch - inHand - c.failed - c.lost
	n.Failed, n.Panicked, n.Exited = c.failed, c.panicked, c.exited
	n.Refused, n.DeadLetters = c.refused, c.dead
	n.Waiting = uint64(c.waiters.Len()) //nolint:gosec // A length.
	n.Accepted = n.Handled + n.Failed + n.DeadLetters.Total() + n.Queued
	return n
}

// inHand returns how many messages of the last batch are not done with.
func (c *cold[M]) inHand() uint64 { return c.before + c.batch - c.progress.done() }

// waitingLocked returns how many messages count against the capacity, as roomLocked does.
func (c *cold[M]) waitingLocked() int {
	return c.box.len + max(int(c.inHand())-1, 0) //nolint:gosec // Bounded by memory.
}

// oldestLocked returns when the oldest message was sent that is in hand or in the box. It is
// 0 if there is none. While a message is in hand its slot stays where it is, and nobody
// writes the time in it: not even the worker, who clears the rest.
func (c *cold[M]) oldestLocked() int64 {
	if inHand := c.inHand(); inHand > 0 {
		i := c.first + int(c.batch-inHand) //nolint:gosec // Bounded by memory.
		return c.hand.slots[i&(len(c.hand.slots)-1)].sent
	}
	if c.box.len > 0 {
		return c.box.slots[c.box.head].sent
	}
	return 0
}

// inlineSent returns when the inline message was sent, if it is in hand, and 0 otherwise.
// One goroutine at a time may call it. A message that is not in hand yet may not even be in
// the slot: its process waits for a worker.
func (p *process[M]) inlineSent() int64 {
	if !p.state.pin() {
		return 0
	}
	defer p.state.unpin()
	return p.slot.sent
}

// close stops the intake, and with kill the handling too, and ends the process
// if nobody runs it. It reports what there was at that moment: whether a message
// was in hand, and how many waited.
func (p *process[M]) close(kill bool) (handling bool, waiting int) {
	c := p.lock()
	st, progress := p.closeLocked(c, kill)
	handling = st&flagTaken != 0
	inHand := c.before + c.batch - progress/progressOne
	if progress&progressTaken != 0 {
		handling = true
		inHand--
	}
	waiting = c.box.len + int(inHand) //nolint:gosec // Bounded by memory.
	if st&(flagInline|flagTaken) == flagInline {
		waiting++
	}
	pausing := c.endPauseLocked()
	c.mu.Unlock()
	if kill {
		p.cancellation.Tell(p)
	}
	switch {
	case pausing:
		p.schedule()
	case st&(flagBusy|flagEnded) != 0:
	case p.leaves(st&flagKilled != 0 || kill):
		handling = true
		p.schedule()
	default:
		p.end()
	}
	return handling, waiting
}

// closeLocked sets the flags, claims the process if it was idle, and turns the
// waiting senders away. It returns what the flags and the worker's progress were
// before.
func (p *process[M]) closeLocked(c *cold[M], kill bool) (before, progress uint64) {
	if kill {
		before = p.state.Or(flagBusy | flagClosed | flagMore | flagKilled)
		progress = c.progress.Or(progressStopped)
	} else {
		before = p.state.Or(flagBusy | flagClosed | flagMore)
		progress = c.progress.Load()
	}
	if before&flagWaiters == 0 {
		return before, progress
	}
	for e := c.waiters.Front(); e != nil; e = e.Next() {
		c.refused.Stopped++
		e.Value.(*waitingSender[M]).result <- ErrStopped //nolint:forcetypeassert // The list holds nothing else.
	}
	c.waiters.Init()
	p.state.And(^flagWaiters)
	return before, progress
}

// end retires a process that the caller has made busy and closed. What is left
// becomes dead letters. Its system lets go of it only when everybody knows: a
// shutdown waits for that.
func (p *process[M]) end() {
	p.leave()
	c := p.lock()
	left := p.takeAllLocked(c)
	reason := deadKilled
	switch c.err = c.fatal; {
	case c.err != nil:
		reason = c.reason
	case p.state.Load()&flagKilled != 0:
		c.err = ErrKilled
	}
	for range left {
		reason.count(&c.dead)
	}
	groups, open, timers, links := c.groups, c.open, c.timers, c.links
	c.groups, c.open, c.timers, c.links = nil, nil, nil, nil
	counts := c.countsLocked(p.state.Load()) // Nothing adds to them after the end.
	err := c.err
	c.mu.Unlock()

	// What is plugged in may end the goroutine: the end goes on all the same.
	defer func() {
		p.kind.unregister(p)
		p.tell(links)
		p.kind.sys.remove(p, counts)
		close(p.doneChannel())
	}()
	p.cancellation.Tell(p)
	for t := range timers {
		t.cancel()
	}
	for _, g := range groups {
		g.drop(p)
	}
	for call := range open {
		call.fail(ErrStopped)
	}
	p.tellPassivated(ErrStopped)
	for _, s := range left {
		if s.call != nil {
			s.call.fail(ErrStopped)
		}
	}
	for _, s := range left {
		p.tellDead(s, reason)
	}
	if err != nil {
		p.happened(Event{Type: ProcessEnded, Err: err})
	}
}

// takeAllLocked takes everything out of the process and marks its end.
func (p *process[M]) takeAllLocked(c *cold[M]) []slot[M] {
	var left []slot[M]
	if p.state.Load()&flagInline != 0 {
		left = append(left, p.slot)
		p.slot.clear()
	}
	left = c.hand.drain(left)
	left = c.box.drain(left)
	c.before, c.batch, c.ahead = c.progress.done(), 0, 0
	p.state.And(^(flagInline | flagMore))
	p.state.Or(flagEnded)
	return left
}

// doneChannel returns the channel that is closed after the process's end,
// made when it is first needed.
func (p *process[M]) doneChannel() chan struct{} {
	c := p.lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
	}
	return c.done
}

var (
	_ callHolder         = (*process[int])(nil)
	_ member             = (*process[int])(nil)
	_ scheduler.Runnable = (*process[int])(nil)
	_ linkable           = (*process[int])(nil)
)
