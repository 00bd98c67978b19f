// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package closing ends what uses a connection in time, also if the connection takes nothing.
package closing

import (
	"context"
	"fmt"
	"time"
)

// settle is for how long something that is closed goes on after its context has ended.
const settle = time.Second

// Within calls f, which should end soon after ctx has, and returns what it returns. If f has not
// ended a second after ctx, Within returns an error that wraps ctx.Err(), and f goes on.
//
// The client of NATS holds its lock while it writes, so whoever needs the lock waits as long as a
// write to a link that hangs: for a minute, unless its option FlusherTimeout says less.
func Within(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	timer := time.NewTimer(settle)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("close: not done in time, as when the connection takes nothing: %w", ctx.Err())
	}
}
