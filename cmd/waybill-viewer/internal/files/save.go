// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"sync"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/internal/traces/otlpjson"
)

// MaxSaved is how much a [Saver] writes, in bytes. Exporters decide what is written, and the
// disk is not theirs.
const MaxSaved = 1 << 30

// ErrFull says that a [Saver] has written as much as it may.
var ErrFull = fmt.Errorf("%d GiB are written, and the rest is not", MaxSaved>>30)

// part is added to the name of a file that is being written.
const part = ".part"

// Saver writes spans to a file as they come. The file gets its name when the saver is closed,
// so a file with that name is either as it was or complete. Make a saver with [Create]. All
// methods may be called from any number of goroutines.
type Saver struct {
	name string

	mu    sync.Mutex
	file  *os.File
	to    *bufio.Writer
	left  int64 // bytes that may still be written
	spans int
	err   error // the first one; nothing is written after it
}

// Create makes a file to save spans in. Whoever else has an account on the machine cannot read
// it, because spans may have secrets in them.
func Create(name string) (*Saver, error) {
	if err := writable(name); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(name+part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &Saver{name: name, file: file, to: bufio.NewWriter(file), left: MaxSaved}, nil
}

// writable returns an error if name is there and is no file.
func writable(name string) error {
	switch info, err := os.Stat(name); {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file", name)
	}
	return nil
}

// Save writes spans as one line. It returns the first error that there was, once. After
// [Saver.Close] it does nothing.
func (s *Saver) Save(spans []sdktrace.ReadOnlySpan) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil
	}
	if s.left <= 0 {
		s.err = ErrFull
		return s.err
	}
	if s.err = otlpjson.Write(counting{s}, spans); s.err == nil {
		s.spans += len(spans)
	}
	return s.err
}

// counting counts what is written.
type counting struct{ *Saver }

func (c counting) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.left -= int64(n)
	return n, err
}

// Spans returns how many spans were written.
func (s *Saver) Spans() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spans
}

// Close gives the file its name. If not everything could be written, the file keeps the name
// that it has while it is written, and Close says which that is.
func (s *Saver) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	failed := s.err
	if errors.Is(failed, ErrFull) {
		failed = nil
	}
	s.err = os.ErrClosed // What comes now is too late.
	if err := errors.Join(failed, s.to.Flush(), s.file.Close()); err != nil {
		return fmt.Errorf("what could be written is in %s: %w", s.name+part, err)
	}
	return os.Rename(s.name+part, s.name)
}
