// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// filePerm lets others read the file, as far as the user's umask allows.
const filePerm = 0o644

// Write writes a report to a file as JSON, one trace after another. It writes the
// report to a file beside it, and renames that when it is complete. So whoever reads
// the file finds either its old content or the whole report, even if the program is
// killed. If the file is not a regular one, a pipe for instance, Write writes to it
// directly.
func Write(file string, summary Summary, traces iter.Seq[Trace]) error {
	err := replace(file, func(w io.Writer) error { return encode(w, summary, traces) })
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// encode writes a [Report] as JSON.
func encode(w io.Writer, summary Summary, traces iter.Seq[Trace]) error {
	out, err := json.MarshalIndent(summary, " ", " ")
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "{\n \"summary\": %s,\n \"traces\": [", out)
	separator := ""
	for t := range traces {
		if out, err = json.MarshalIndent(t, "  ", " "); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\n  %s", separator, out)
		separator = ","
	}
	_, err = fmt.Fprintf(w, "\n ]\n}\n") // The buffer returns an earlier error too.
	return err
}

// Try returns an error if a report cannot be written to the file. It does not change
// the file.
func Try(file string) error {
	file, old, err := target(file)
	if err != nil {
		return err
	}
	if old != nil {
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		if err = f.Close(); err != nil || !old.Mode().IsRegular() {
			return err
		}
	}
	f, err := beside(file)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func replace(file string, write func(io.Writer) error) error {
	file, old, err := target(file)
	if err != nil {
		return err
	}
	if old != nil && !old.Mode().IsRegular() {
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			return err
		}
		return errors.Join(buffered(f, write), f.Close())
	}
	f, err := beside(file)
	if err != nil {
		return err
	}
	err = buffered(f, write)
	if old != nil {
		err = errors.Join(err, f.Chmod(old.Mode().Perm()))
	}
	err = errors.Join(err, f.Sync(), f.Close()) // Without Sync, a crash could leave an empty file.
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

func buffered(f *os.File, write func(io.Writer) error) error {
	w := bufio.NewWriter(f)
	return errors.Join(write(w), w.Flush())
}

// target follows symbolic links. It returns the file that exists already, nil if there
// is none.
func target(file string) (string, fs.FileInfo, error) {
	old, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return file, nil, nil
	} else if err != nil {
		return "", nil, err
	}
	file, err = filepath.EvalSymlinks(file)
	return file, old, err
}

// beside creates a file in the same folder, so that it can be renamed to file.
func beside(file string) (*os.File, error) {
	name := fmt.Sprintf("%s.%08x.tmp", file, rand.Uint32())
	return os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, filePerm)
}
