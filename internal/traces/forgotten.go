// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"math/bits"
	"unsafe"

	"go.opentelemetry.io/otel/trace"
)

// forgotten knows the last traces that were forgotten, and how many spans of theirs. A trace
// has one place, which it takes from the trace that had it before.
type forgotten []goneTrace

type goneTrace struct {
	id    trace.TraceID
	spans int
}

const goneBytes = int(unsafe.Sizeof(goneTrace{}))

// newForgotten returns one that takes at most so many bytes.
func newForgotten(bytes int) forgotten {
	return make(forgotten, 1<<(bits.Len(uint(bytes/goneBytes))-1))
}

// place returns the place of a trace.
func (f forgotten) place(id trace.TraceID) *goneTrace { return &f[hashOf(id)%uint64(len(f))] }

func (f forgotten) add(id trace.TraceID, spans int) { *f.place(id) = goneTrace{id, spans} }

// take returns how many spans of that trace were forgotten, and drops the trace.
func (f forgotten) take(id trace.TraceID) int {
	at := f.place(id)
	if at.id != id {
		return 0
	}
	spans := at.spans
	*at = goneTrace{}
	return spans
}

func (f forgotten) bytes() int { return len(f) * goneBytes }
