// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout

import (
	"strconv"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/threshold"
)

// TraceStateKey names our member of the tracestate. Its value is a list of fields, in
// the form of OpenTelemetry's own member:
//
//	waybill=w:1000;p:0.001;n:10000;d:1;b:7;e:6.4
//
// These are the weight, probability, size and depth of a [Fanout], its budget and its
// mean budget. The last two come together or not at all. The value has at most 128
// characters, because the standard says that longer members are removed first.
const TraceStateKey = "waybill"

// AddTo returns ts with f as its first member. A sampled recipient has that tracestate.
//
// If not all recipients were sampled, the sampling threshold in OpenTelemetry's member
// no longer states the recipient's probability. Then AddTo removes it as
// [threshold.Clear] does, and the rest of that member comes second. The other members
// keep their values and their order.
//
// Members that do not fit are left out as the standard says. Of more than 32 members,
// the last one is left out. Of more than 512 characters, members with more than 128 are
// left out first, and then others, from the end. If ts had more than 512 characters,
// the result is not longer than ts, and no more is left out.
//
// If f is zero, or is one that [FromTraceState] would not read, AddTo returns ts.
func (f Fanout) AddTo(ts trace.TraceState) trace.TraceState {
	if !f.valid() {
		return ts
	}
	next := ts
	if f.Probability < 1 {
		next = threshold.Clear(next)
	}
	next, err := next.Insert(TraceStateKey, f.member())
	if err != nil { // It cannot happen, because the key and the value are valid.
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
