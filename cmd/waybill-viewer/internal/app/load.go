// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"io"
	"os"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/cmd/waybill-viewer/internal/files"
)

// load reads the files with those names, and gives their spans to take. A file that has spans
// and then an error is told of on the standard error, and what it has is used.
func load(ctx context.Context, names []string, s streams, take func([]sdktrace.ReadOnlySpan)) error {
	for _, name := range names {
		// A read of the standard input cannot be cut off, so ctx ends the waiting for it.
		done := make(chan error, 1)
		go func() { done <- loadOne(ctx, name, s, take) }()
		select {
		case err := <-done:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func loadOne(ctx context.Context, name string, s streams, take func([]sdktrace.ReadOnlySpan)) error {
	in := s.in
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close() //nolint:errcheck // It was only read.
		in = file
	}
	counts, err := files.Read(cancelled{ctx, in}, take)
	switch {
	case err != nil && (counts.Spans == 0 || ctx.Err() != nil):
		return fmt.Errorf("%s: %w", name, err)
	case err != nil:
		fmt.Fprintf(s.err, "waybill-viewer: %s: %v; the %s before that are shown\n", name, err, spansText(counts.Spans))
	}
	if counts.Rejected > 0 {
		fmt.Fprintf(s.err, "waybill-viewer: %s: %s cannot be shown: %v\n", name, spansText(counts.Rejected), counts.Reason)
	}
	if counts.Spans == 0 {
		what := "it has no spans"
		if counts.Others > 0 {
			what += ", but metrics or logs, which are not shown"
		}
		return fmt.Errorf("%s: %s", name, what)
	}
	return nil
}

// cancelled is a reader that ends when ctx does.
type cancelled struct {
	ctx  context.Context //nolint:containedctx // An io.Reader has no other place for it.
	from io.Reader
}

func (c cancelled) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.from.Read(p)
}

func spansText(n int) string {
	if n == 1 {
		return "1 span"
	}
	return fmt.Sprintf("%d spans", n)
}
