// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package headers

import "slices"

// field is a key in its two spellings: our own and that of most peers, and that of
// net/http, which many clients in Go use.
type field struct{ lower, canonical string }

var (
	parentField  = field{"traceparent", "Traceparent"}
	stateField   = field{"tracestate", "Tracestate"}
	baggageField = field{"baggage", "Baggage"}
	sentField    = field{"waybill-sent", "Waybill-Sent"}
	chainField   = field{"waybill-chain", "Waybill-Chain"}

	fields = [...]field{parentField, stateField, baggageField, sentField, chainField}
)

// values returns the values of the key. agreed is false if both spellings have values and
// these differ: two writers have been at work then, and there is no telling which one is
// meant. That is the rule of package propagate.
func (f field) values(in map[string][]string) (values []string, agreed bool) {
	values, other := in[f.canonical], in[f.lower]
	switch {
	case len(other) == 0:
		return values, true
	case len(values) == 0:
		return other, true
	default:
		return values, slices.Equal(values, other)
	}
}

// one returns the value of a key that must have only one. ok is false if the key is there
// and has another number of values. A single empty value is an absent one.
func (f field) one(in map[string][]string) (value string, ok bool) {
	values, agreed := f.values(in)
	switch {
	case len(values) == 0:
		return "", true
	case len(values) > 1 || !agreed:
		return "", false
	default:
		return values[0], true
	}
}

// size returns the length of all values in both spellings, and of the commas between them.
func (f field) size(in map[string][]string) (n int) {
	for _, values := range [...][]string{in[f.lower], in[f.canonical]} {
		n += max(len(values)-1, 0)
		for _, value := range values {
			n += len(value)
		}
	}
	return n
}

// present reports whether the key has any value that is not empty.
func (f field) present(in map[string][]string) bool { return f.size(in) > 0 }

func (f field) remove(from map[string][]string) {
	delete(from, f.lower)
	delete(from, f.canonical)
}
