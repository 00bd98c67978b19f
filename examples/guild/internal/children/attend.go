// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package children

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
)

// ready is what a child says when it is.
const ready = "ready\n"

// maxSetup is how many bytes a child reads of what it is to know.
const maxSetup = 64 << 10

// ErrGone means that the parent has gone, or wants the child to end.
var ErrGone = errors.New("the parent has gone")

// Attend returns what the parent wants a child to know, and a context that ends with
// [ErrGone] when the parent does or wants that. in is the child's standard input.
func Attend(ctx context.Context, in io.Reader) (setup []byte, attended context.Context, err error) {
	lines := bufio.NewReader(io.LimitReader(in, maxSetup))
	if setup, err = lines.ReadBytes('\n'); err != nil {
		return nil, nil, fmt.Errorf("read what the parent wants: %w", err)
	}
	attended, gone := context.WithCancelCause(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, in) // Until it ends.
		gone(ErrGone)
	}()
	return setup, attended, nil
}

// Ready tells the parent that a child is ready. out is the child's standard output.
func Ready(out io.Writer) error {
	_, err := io.WriteString(out, ready)
	return err
}
