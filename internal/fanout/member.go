// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout

import (
	"strconv"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/threshold"
)

// TraceStateKey names our member of the tracestate. Its value is a list of fields,
// in the form that the member of OpenTelemetry has:
//
//	waybill=w:1000;p:0.001;n:10000;d:1;b:7;e:6.4
//
// the weight, probability, size and depth of a [Fanout], and its budget and the
// mean of that, which come together or not at all. It has at most 128
// characters, so that it is not among those that the W3C would have removed
// first.
const TraceStateKey = "waybill"

// AddTo returns ts with f as its first member, as it is to be on a recipient that
// was sampled.
//
// If not all were, the sampling threshold in the member of OpenTelemetry no
// longer states the recipient's probability: then it is taken out, as
// [threshold.Clear] does, and what is left of that member comes second. All
// others keep their values and their order.
//
// What does not fit gives way as the W3C has it: of 32 members the last, and if
// there are more than 512 characters, first members of more than 128, then
// others, from the end. A list that had more than 512 before is not made longer,
// nor cut further.
//
// A zero f, or one that [FromTraceState] would not read, leaves ts as it is.
func (f Fanout) AddTo(ts trace.TraceState) trace.TraceState {
	if !f.valid() {
		return ts
	}
	next := ts
	if f.Probability < 1 {
		next = threshold.Clear(next)
	}
	next, err := next.Insert(TraceStateKey, f.member())
	if err != nil { // The key is ours and the value is digits: it cannot be.
		return ts
	}
	if listLength(next) <= maxListLength {
		return next
	}
	return shorten(next, max(maxListLength, listLength(ts)))
}

// member returns the value of our member of the tracestate.
func (f Fanout) member() string {
	buf := make([]byte, 0, 128)
	buf = strconv.AppendFloat(append(buf, "w:"...), f.Weight, 'g', -1, 64)
	buf = strconv.AppendFloat(append(buf, ";p:"...), f.Probability, 'g', -1, 64)
	buf = strconv.AppendInt(append(buf, ";n:"...), int64(f.Size), 10)
	buf = strconv.AppendInt(append(buf, ";d:"...), int64(f.Depth), 10)
	if f.Budget > 0 {
		buf = strconv.AppendInt(append(buf, ";b:"...), int64(f.Budget), 10)
		buf = strconv.AppendFloat(append(buf, ";e:"...), f.MeanBudget, 'g', -1, 64)
	}
	return string(buf)
}
