// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"math"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// Attributes on the spans of a chosen recipient and of all that follow from it.
const (
	// WeightKey is how many recipients the span stands for, all fan-outs above
	// it multiplied; a double.
	WeightKey = attribute.Key("waybill.fanout.weight")
	// ProbabilityKey is the share of the recipients of the nearest fan-out
	// above that were traced; a double.
	ProbabilityKey = attribute.Key("waybill.fanout.probability")
	// SizeKey is the number of recipients of the nearest fan-out above (on a
	// broadcast's own span, of that broadcast); an int.
	SizeKey = attribute.Key("waybill.fanout.size")
	// DepthKey is the number of fan-outs above the span; an int.
	DepthKey = attribute.Key("waybill.fanout.depth")
)

// memberKey names our member of the tracestate.
const memberKey = "waybill"

// Bounds on what a tracestate may claim. What is beyond them is absurd: not
// written, and taken as absent when read.
const (
	maxWeight = 1e15
	maxSize   = math.MaxInt32
	maxDepth  = 64
)

// Fanout says what a traced recipient stands for. The zero value is that of a
// message that went through no fan-out.
type Fanout struct {
	Weight      float64 // how many recipients, all fan-outs multiplied; 1 to 1e15
	Probability float64 // share traced at the nearest fan-out, in (0, 1]
	Size        int     // recipients of the nearest fan-out; 1 to 2³¹-1
	Depth       int     // number of fan-outs passed; 1 to 64
}

// Recipient returns what each chosen recipient of p stands for when the
// message that fans out stands for f itself. Weight and Depth stop growing at
// their bounds.
func (f Fanout) Recipient(p Plan) Fanout {
	w := p.Weight()
	if w <= 0 {
		return f
	}
	return Fanout{
		Weight:      min(max(f.Weight, 1)*w, maxWeight),
		Probability: 1 / w,
		Size:        p.Size,
		Depth:       min(f.Depth+1, maxDepth),
	}
}

// valid reports whether f is that of a fan-out, and within the bounds.
func (f Fanout) valid() bool {
	return f.Weight >= 1 && f.Weight <= maxWeight &&
		f.Probability > 0 && f.Probability <= 1 &&
		f.Size >= 1 && f.Size <= maxSize &&
		f.Depth >= 1 && f.Depth <= maxDepth
}

// FanoutFrom reads what a trace has been through from its tracestate. A member
// that is absent, malformed or out of sane bounds gives the zero value.
func FanoutFrom(ts trace.TraceState) Fanout {
	member := ts.Get(memberKey)
	if member == "" {
		return Fanout{}
	}
	var f Fanout
	for field := range strings.SplitSeq(member, ";") {
		name, value, _ := strings.Cut(field, ":")
		if !f.set(name, value) {
			return Fanout{}
		}
	}
	if !f.valid() {
		return Fanout{}
	}
	return f
}

// set parses one field and reports whether it could; a name that a later version
// added it passes over.
func (f *Fanout) set(name, value string) bool {
	var err error
	switch name {
	case "w":
		f.Weight, err = strconv.ParseFloat(value, 64)
	case "p":
		f.Probability, err = strconv.ParseFloat(value, 64)
	case "n":
		f.Size, err = strconv.Atoi(value)
	case "d":
		f.Depth, err = strconv.Atoi(value)
	}
	return err == nil
}

// Put returns ts with f as its first member; the others keep their values and
// their order. If ts is full (32 members) its last one gives way, as the
// standard's rule for growing lists has it. A zero f, or one that is out of
// bounds, leaves ts as it is.
func (f Fanout) Put(ts trace.TraceState) trace.TraceState {
	if !f.valid() {
		return ts
	}
	buf := make([]byte, 0, 64)
	buf = strconv.AppendFloat(append(buf, "w:"...), f.Weight, 'g', -1, 64)
	buf = strconv.AppendFloat(append(buf, ";p:"...), f.Probability, 'g', -1, 64)
	buf = strconv.AppendInt(append(buf, ";n:"...), int64(f.Size), 10)
	buf = strconv.AppendInt(append(buf, ";d:"...), int64(f.Depth), 10)
	next, err := ts.Insert(memberKey, string(buf))
	if err != nil { // The key is ours and the value is digits: it cannot be.
		return ts
	}
	return next
}

// Attributes appends the attributes of a span that stands for f to dst: none
// if the message went through no fan-out.
func (f Fanout) Attributes(dst []attribute.KeyValue) []attribute.KeyValue {
	if f.Depth == 0 {
		return dst
	}
	return append(dst,
		WeightKey.Float64(f.Weight),
		ProbabilityKey.Float64(f.Probability),
		SizeKey.Int(f.Size),
		DepthKey.Int(f.Depth),
	)
}
