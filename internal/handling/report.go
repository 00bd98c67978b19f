// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package handling

import (
	"fmt"
	"runtime"
	"strings"
	"sync"

	"go.opentelemetry.io/otel"

	"github.com/waybill-go/waybill/internal/guard"
)

// reported has the mistakes that were reported, by their text.
var reported sync.Map

// report tells OpenTelemetry's error handler of a mistake at place, once.
func report(place, format string, args ...any) {
	mistake := place + ": " + fmt.Sprintf(format, args...)
	if _, known := reported.LoadOrStore(mistake, true); known {
		return
	}
	guard.Do(func() { otel.Handle(fmt.Errorf("waybill: %s", mistake)) }) //nolint:err113 // It is to be read.
}

// ForgetReports has all mistakes reported once more. It is for tests.
func ForgetReports() { reported.Clear() }

// place returns the file and line of the code that has called our packages.
func place() string {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])]) //nolint:mnd // This function and the runtime's.
	for {
		frame, more := frames.Next()
		if !isOurs(frame.File) {
			return fmt.Sprintf("%s:%d", frame.File, frame.Line)
		}
		if !more {
			return "an unknown place"
		}
	}
}

// root is the directory of the library, with a slash at its end.
var root = func() string {
	_, file, _, _ := runtime.Caller(0)
	return strings.TrimSuffix(file, "internal/handling/report.go")
}()

// isOurs reports whether the file is one of the library's. The name of a function would not
// do, because a function of ours may be part of its caller.
func isOurs(file string) bool {
	path, ok := strings.CutPrefix(file, root)
	return ok && !strings.HasSuffix(path, "_test.go") &&
		!strings.HasPrefix(path, "examples/") && !strings.HasPrefix(path, "bench/")
}
