// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Tally counts in the fields of an S. Its zero value is ready, and any number of
// goroutines may use it at the same time. It must not be copied once used.
type Tally[S any] struct {
	_ [0]atomic.Uint64 // So that Now is aligned on 32-bit machines too.

	// Now holds the counts. Use the functions of package atomic to add to its fields. Those
	// that are counted must come before all fields that are no uint64: else they are not
	// aligned on 32-bit machines, where to add to them panics.
	Now S

	metrics Registry
}

// Load returns the counts of the fields in table. Each count is exact, but they may
// have been read at slightly different moments.
func (t *Tally[S]) Load(table []Field[S]) (counts S) {
	for _, f := range table {
		if f.of != nil {
			*f.of(&counts) = atomic.LoadUint64(f.of(&t.Now))
		}
	}
	return counts
}

// Register makes an observable counter of each field in table, as [Counters] does.
func (t *Tally[S]) Register(
	meter metric.Meter, table []Field[S], attrs []attribute.KeyValue,
) (metric.Registration, error) {
	return Counters(&t.metrics, meter, func() S { return t.Load(table) }, table, attrs)
}
