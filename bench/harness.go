// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"
)

// roundPlan says how long to measure.
type roundPlan struct {
	rounds    int           // counted rounds
	least     int           // counted rounds even if there is no time
	allowance time.Duration // for a row's rounds; none if zero
	batch     time.Duration // what a batch should take
	stall     time.Duration // the time after which a batch has failed
}

// sample is the cost of each operation in one batch of a variant.
type sample struct {
	ns, allocs, bytes float64
}

// round has a sample of each variant, by name, taken close together.
type round map[string]sample

// result has the counted rounds of a row.
type result struct {
	row    row
	rounds []round
}

// entrant is a contender with the harness's counts.
type entrant struct {
	*contender

	variant

	size  int
	times int // in a batch
	done  int // times in all
}

var errEffect = errors.New("effect not as expected")

// measure measures the variants of a row in turns. It sets them up before, and tears them
// down after.
func (p roundPlan) measure(r row) (res result, err error) {
	entrants, err := p.enter(r)
	defer func() {
		for _, e := range entrants {
			if e.contender != nil {
				err = errors.Join(err, p.leave(e, err != nil))
			}
		}
	}()
	if err != nil {
		return res, err
	}
	res = result{row: r, rounds: make([]round, 0, p.rounds)}
	start := time.Now()
	for i := range 1 + p.rounds { // The first round is a warm-up.
		this, err := p.round(r, entrants)
		if err != nil {
			return res, err
		}
		if i > 0 {
			res.rounds = append(res.rounds, this)
		}
		if p.allowance > 0 && i >= p.least && time.Since(start) > p.allowance {
			break
		}
	}
	return res, nil
}

// enter sets up the variants of r, and finds how many times each fits into a batch. It
// leaves those that are to be set up anew.
func (p roundPlan) enter(r row) ([]*entrant, error) {
	entrants := make([]*entrant, 0, len(r.variants))
	for _, v := range r.variants {
		e := &entrant{variant: v, size: r.size, times: 1}
		if err := e.setUp(); err != nil {
			return entrants, err
		}
		entrants = append(entrants, e)
		if !r.once && r.memory == allotted {
			if err := p.calibrate(e); err != nil {
				return entrants, fmt.Errorf("%s: %w", v.name, err)
			}
		}
		if r.anew {
			if err := p.leave(e, false); err != nil {
				return entrants, err
			}
		}
	}
	return entrants, nil
}

func (e *entrant) setUp() (err error) {
	if e.contender, err = e.set(e.size); err != nil {
		return fmt.Errorf("%s: set-up: %w", e.name, err)
	}
	e.done = 0
	return nil
}

// calibrate finds how many times make a batch of the right length.
func (p roundPlan) calibrate(e *entrant) error {
	for {
		took, err := p.batchOf(e, e.times)
		if err != nil {
			return err
		}
		if took >= p.batch/2 {
			e.times = scaled(e.times, took, p.batch)
			return nil
		}
		e.times = max(e.times+1, min(scaled(e.times, took, p.batch), 10*e.times))
	}
}

// scaled returns how many times take as long as want, if times took took.
func scaled(times int, took, want time.Duration) int {
	return max(1, int(float64(times)*float64(want)/float64(max(took, 1))))
}

// round runs a batch of each variant, in random order.
func (p roundPlan) round(r row, entrants []*entrant) (round, error) {
	this := make(round, len(entrants))
	for _, i := range rand.Perm(len(entrants)) {
		e := entrants[i]
		if r.anew {
			if err := e.setUp(); err != nil {
				return nil, err
			}
		}
		take := p.allocated
		if r.memory != allotted {
			take = func(e *entrant) (sample, error) { return p.inUse(e, r.memory) }
		}
		s, err := take(e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		this[e.name] = s
		if r.anew {
			if err := p.leave(e, false); err != nil {
				return nil, err
			}
		}
	}
	return this, nil
}

// allocated measures a batch: its time, and all that was allocated meanwhile.
func (p roundPlan) allocated(e *entrant) (sample, error) {
	runtime.GC()
	// A garbage collection shrinks stacks and cools caches. One go before the clock
	// runs brings them back to the state of a process in use.
	if _, err := p.batchOf(e, 1); err != nil {
		return sample{}, err
	}
	if e.warm != nil {
		e.warm()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	took, err := p.goes(e, e.times)
	runtime.ReadMemStats(&after)
	if err == nil {
		err = p.check(e)
	}
	return perOperation(e.times*e.size, took,
		after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc), err
}

// inUse measures one go: its time, and by how much the heap and stacks in use have
// grown.
func (p roundPlan) inUse(e *entrant, kind memory) (sample, error) {
	var before, after, clean runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	took, err := p.goes(e, 1)
	if err != nil {
		return sample{}, err
	}
	runtime.ReadMemStats(&after)
	bytes := growth(before.HeapInuse+before.StackInuse, after.HeapInuse+after.StackInuse)
	if kind == retained {
		runtime.GC()
		runtime.ReadMemStats(&clean)
		bytes = growth(before.HeapAlloc+before.StackInuse, clean.HeapAlloc+clean.StackInuse)
	}
	return perOperation(e.size, took, after.Mallocs-before.Mallocs, bytes), p.check(e)
}

// growth returns after minus before, or 0 if after is less.
func growth(before, after uint64) uint64 { return max(before, after) - before }

func perOperation(operations int, took time.Duration, allocs, bytes uint64) sample {
	n := float64(operations)
	return sample{ns: float64(took.Nanoseconds()) / n, allocs: float64(allocs) / n, bytes: float64(bytes) / n}
}

// batchOf runs e a number of times and checks its effect.
func (p roundPlan) batchOf(e *entrant, times int) (time.Duration, error) {
	took, err := p.goes(e, times)
	if err == nil {
		err = p.check(e)
	}
	return took, err
}

// goes runs e a number of times.
func (p roundPlan) goes(e *entrant, times int) (took time.Duration, err error) {
	err = p.guard(func() error {
		if e.timed != nil {
			before := e.timed()
			err := e.run(times)
			took = e.timed() - before
			return err
		}
		start := time.Now()
		err := e.run(times)
		took = time.Since(start)
		return err
	})
	e.done += times
	return took, err
}

// check asserts that all messages so far were handled, each once.
func (p roundPlan) check(e *entrant) error {
	if e.verify != nil {
		if err := p.guard(e.verify); err != nil {
			return err
		}
	}
	if got, want := e.handled(), e.done*e.size; got != want {
		return fmt.Errorf("%w: %d of %d messages handled", errEffect, got, want)
	}
	return nil
}

// leave tears e down and asserts that it has made the expected spans. If something
// failed before, leave does not touch e, because it may never end.
func (p roundPlan) leave(e *entrant, failed bool) error {
	if failed {
		return nil
	}
	c := e.contender
	e.contender = nil
	if err := p.guard(c.tear); err != nil {
		return fmt.Errorf("%s: %w", e.name, err)
	}
	if c.traces == nil {
		return nil
	}
	least, most := e.done*c.spans[0], e.done*c.spans[1]
	if got := c.traces.ended(); got < least || got > most {
		return fmt.Errorf("%s: %w: %d spans, want %d to %d", e.name, errEffect, got, least, most)
	}
	return nil
}

// guard returns the error of f. If f takes far too long, perhaps because it waits for a
// message that was lost, guard returns an error of its own.
func (p roundPlan) guard(f func() error) error {
	result := make(chan error, 1)
	go func() { result <- f() }()
	timer := time.NewTimer(p.stall)
	defer timer.Stop()
	select {
	case err := <-result:
		return err
	case <-timer.C:
		return fmt.Errorf("%w: not complete after %v", errEffect, p.stall)
	}
}
