// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package children runs other processes of the operating system, which end when this one
// does, however that ends: each holds the reading end of a pipe as its standard input, whose
// other end is closed then.
//
// The parent calls [Start]. A child calls [Attend] and then [Ready]. A child that ends by
// itself is started again.
package children

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"
)

// Config is what [Start] needs to know. All fields are needed. Its functions are called from
// a goroutine for each child.
type Config struct {
	Count int // of children, which are numbered from 1
	// Command returns the command of a child, whose standard streams are not set yet.
	Command func(n int) *exec.Cmd
	// Setup returns what a child is to know, without a line break. It is passed on the
	// standard input, which other users cannot look at.
	Setup func(n int) ([]byte, error)
	// Begun is told of each child that is ready, by its process ID.
	Begun func(n, pid int)
	// Ended is told of each child that has ended by itself or could not be started again. It
	// will be started again after some time.
	Ended func(n int, because error)
	Log   io.Writer // gets what children write to their standard error, at any time
}

// Times of a child.
const (
	readyTime = 30 * time.Second // until it must be ready
	waitTime  = time.Second      // for what it has written, after its end
	closeTime = 5 * time.Second  // to end in, where others could not begin

	minPause = 200 * time.Millisecond // before it is started again, longer each time,
	maxPause = 5 * time.Second
	wellTime = 10 * time.Second // unless it had run for so long
)

// Children are some that run.
type Children struct {
	config  Config
	ctx     context.Context //nolint:containedctx // Ends when they are to end.
	end     context.CancelFunc
	kill    chan struct{} // closed when there is no more time to end in
	running sync.WaitGroup
}

// Start starts the children, and returns when all are ready, or with an error when none is
// left. ctx bounds that.
func Start(ctx context.Context, c Config) (*Children, error) {
	all := &Children{config: c, kill: make(chan struct{})}
	all.ctx, all.end = context.WithCancel(context.WithoutCancel(ctx))
	begun := make(chan error, c.Count)
	for n := 1; n <= c.Count; n++ {
		all.running.Go(func() {
			one, err := all.begin(ctx, n)
			begun <- err
			if err == nil {
				all.keep(n, one)
			}
		})
	}
	var errs []error
	for range c.Count {
		if err := <-begun; err != nil {
			all.end() // The others need not go on.
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		all.Close(closing)
		return nil, errs[0] // The others are about the same, or about the end of the first.
	}
	return all, nil
}

// keep has a child run until all are to end.
func (c *Children) keep(n int, one *child) {
	pause := minPause
	for {
		begun := time.Now()
		if one != nil {
			c.config.Begun(n, one.pid())
			if c.attend(one) {
				return
			}
			c.config.Ended(n, one.because())
		}
		if time.Since(begun) > wellTime {
			pause = minPause
		}
		select {
		case <-time.After(pause):
		case <-c.ctx.Done():
			return
		}
		pause = min(2*pause, maxPause)
		var err error
		if one, err = c.begin(c.ctx, n); err != nil && c.ctx.Err() == nil {
			c.config.Ended(n, err)
		}
	}
}

// attend waits for the end of a child, and reports whether it was to end.
func (c *Children) attend(one *child) bool {
	select {
	case <-one.ended:
		return false
	case <-c.ctx.Done():
	}
	one.dismiss()
	select {
	case <-one.ended:
	case <-c.kill:
		one.kill()
	}
	return true
}

// Close has all children end, and kills those that have not when ctx ends.
func (c *Children) Close(ctx context.Context) {
	c.end()
	defer context.AfterFunc(ctx, func() { close(c.kill) })()
	c.running.Wait()
}

// begin starts a child, and returns when it is ready.
func (c *Children) begin(ctx context.Context, n int) (*child, error) {
	setup, err := c.config.Setup(n)
	if err != nil {
		return nil, fmt.Errorf("child %d: %w", n, err)
	}
	one, err := start(c.config.Command(n), setup, c.config.Log)
	if err != nil {
		return nil, fmt.Errorf("child %d: %w", n, err)
	}
	if err = one.waitReady(ctx, c.ctx); err != nil {
		one.kill()
		return nil, fmt.Errorf("child %d: %w", n, err)
	}
	return one, nil
}
