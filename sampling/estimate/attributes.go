// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate

import (
	"math"

	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/sampling"
)

// Weight reads from the attributes of a span how many it stands for: 1 where they
// say nothing of that, and 0 for an exemplar, which is in no estimate: a late
// span of a message that nobody had chosen. Ok is false for a span that should not
// be added: its weight is no number that a fan-out gives, or a cap took effect on
// it (waybill.fanout.shed).
func Weight(attrs []attribute.KeyValue) (weight float64, ok bool) {
	weight, ok = 1, true
	for _, kv := range attrs { // Of two with one key, the later counts.
		if kv.Key == sampling.WeightKey {
			weight, ok = number(kv.Value)
		}
	}
	if !ok || weight != 0 && !validWeight(weight) || IsShed(attrs) {
		return 0, false
	}
	return weight, true
}

// StageOf reads from the attributes of a span what is known of the nearest
// fan-out above it. The fan-out's key is the caller's: for the span of a
// recipient, its parent's ID. The sizes are zero where the attributes do not have
// them: on a span below no fan-out, on a late span of a recipient that was not
// chosen, and on a broadcast's own, whose size is not that of a fan-out above.
// Neither are they given of a slow handling that counts with all of its sort, or
// with a share of these.
func StageOf(fanout string, attrs []attribute.KeyValue) Stage {
	stage := Stage{Fanout: fanout}
	var size, share, kept float64
	var sizeOK, shareOK bool
	for _, kv := range attrs {
		switch kv.Key {
		case sampling.SizeKey:
			size, sizeOK = number(kv.Value)
		case sampling.ProbabilityKey:
			share, shareOK = number(kv.Value)
		case lateProbabilityKey:
			kept, _ = number(kv.Value)
		case sampledKey:
			return stage
		}
	}
	if kept > 0 && kept < 1 {
		stage.Kept = kept
		return stage
	}
	if sizeOK && shareOK && size >= 1 && size <= math.MaxInt32 && share > 0 && share <= 1 {
		stage.Size = int(size)
		stage.Chosen = max(int(math.Round(size*share)), 1)
	}
	return stage
}

// IsShed reads from the attributes of a broadcast's own span whether a cap took
// effect on it: by true, or by a number other than 0. Tell [Sample.Shed] its ID
// then. It may be that of a relay, in the midst of a trace.
func IsShed(attrs []attribute.KeyValue) (shed bool) {
	for _, kv := range attrs {
		if kv.Key == shedKey {
			n, ok := number(kv.Value)
			shed = ok && n != 0 || kv.Value.Type() == attribute.BOOL && kv.Value.AsBool()
		}
	}
	return shed
}
