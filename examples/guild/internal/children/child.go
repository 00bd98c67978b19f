// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package children

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"
)

// child is one that was started.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer // Its end is the child's.
	ready *readyLine
	ended chan struct{} // closed when the process has ended
	err   error         // of that
}

func start(cmd *exec.Cmd, setup []byte, log io.Writer) (*child, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, stdin: stdin, ready: &readyLine{seen: make(chan struct{})}, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = c.ready, log, waitTime
	if err = cmd.Start(); err != nil {
		_ = stdin.Close()
		return nil, err
	}
	go func() {
		defer close(c.ended)
		c.err = cmd.Wait()
	}()
	if _, err = stdin.Write(append(setup, '\n')); err != nil {
		c.kill()
		return nil, fmt.Errorf("pass what it is to know: %w, and it ended: %w", err, c.because())
	}
	return c, nil
}

// waitReady waits until the child is ready, unless one of the contexts ends before that.
func (c *child) waitReady(ctx, closing context.Context) error {
	late := time.NewTimer(readyTime)
	defer late.Stop()
	select {
	case <-c.ready.seen:
		return nil
	case <-c.ended:
		return fmt.Errorf("it ended before it was ready: %w", c.because())
	case <-late.C:
		return fmt.Errorf("it is not ready after %v", readyTime)
	case <-ctx.Done():
		return ctx.Err()
	case <-closing.Done():
		return closing.Err()
	}
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// dismiss tells the child to end.
func (c *child) dismiss() { _ = c.stdin.Close() } // One that has gone has no need of it.

// kill ends the child at once, and returns when it has ended.
func (c *child) kill() {
	c.dismiss()
	_ = c.cmd.Process.Kill() // One that has ended needs none.
	<-c.ended
}

var errItself = errors.New("it ended by itself")

// because says why the child has ended.
func (c *child) because() error {
	if c.err == nil {
		return errItself
	}
	return c.err
}

// readyLine is the standard output of a child, and looks for the line that [Ready] writes.
type readyLine struct {
	mu    sync.Mutex
	begun []byte
	seen  chan struct{}
}

// Write implements io.Writer.
func (r *readyLine) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.begun) < len(ready) {
		r.begun = append(r.begun, p[:min(len(p), len(ready)-len(r.begun))]...)
		if bytes.Equal(r.begun, []byte(ready)) {
			close(r.seen)
		}
	}
	return len(p), nil
}
