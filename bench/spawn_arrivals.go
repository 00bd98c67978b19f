// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"sync"
	"sync/atomic"
)

// arrivals counts the first message of each of many processes.
type arrivals struct {
	count  atomic.Int64
	joined sync.WaitGroup
}

func (c *arrivals) take() {
	c.count.Add(1)
	c.joined.Done()
}

func (c *arrivals) handled() int { return int(c.count.Load()) }

// ballast parks goroutines until the returned function is called. The runtime makes new
// stacks as large as the mean of what all stacks use. With the harness alone, a new
// goroutine gets 4 KiB. Among many small goroutines, it gets 2 KiB.
func ballast() (release func()) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() { <-stop })
	}
	return func() {
		close(stop)
		wg.Wait()
	}
}
