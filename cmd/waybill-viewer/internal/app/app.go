// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package app is the command waybill-viewer.
package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

// streams are the standard streams of the program.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Main runs the command with its arguments, without the name of the program, until it is done
// or ctx ends, and returns the exit code. An error is one line on stderr.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := streams{stdin, stdout, stderr}
	run := view
	if len(args) > 0 && args[0] == "print" {
		args, run = args[1:], printTraces
	}
	err := run(ctx, args, s)
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "waybill-viewer: %v; -h lists the flags\n", err)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "waybill-viewer: %v\n", err)
		return exitFailed
	}
}

// usageError is an error of whoever wrote the command line.
type usageError struct{ error }

func usagef(format string, values ...any) error { return usageError{fmt.Errorf(format, values...)} }
