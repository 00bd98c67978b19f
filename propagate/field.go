// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"reflect"
	"strings"

	"go.opentelemetry.io/otel/propagation"
)

// field is one header in its two spellings: the one of the standards and most carriers,
// and the one of net/http. With both ready, a look-up in a map saves the time that
// http.Header.Get spends on making the key.
type field struct{ lower, canonical string }

var (
	traceparentField = field{"traceparent", "Traceparent"}
	tracestateField  = field{"tracestate", "Tracestate"}
	baggageField     = field{"baggage", "Baggage"}
)

// values returns every value of the field that carrier shows. The argument one is the
// space for a single value. A carrier that cannot tell an empty value from none yields an
// empty value.
func (f field) values(carrier propagation.TextMapCarrier, one *[1]string) []string {
	switch c := carrier.(type) {
	case propagation.HeaderCarrier:
		return f.either(c)
	case propagation.MapCarrier:
		one[0] = c[f.lower]
	case propagation.ValuesGetter:
		return c.Values(f.lower)
	default:
		one[0] = carrier.Get(f.lower)
	}
	return one[:]
}

// either returns the values under the spelling of net/http, or if there are none, those
// under the key in lower case, which gRPC has. In NATS, which tells the two apart, users
// choose either.
func (f field) either(m map[string][]string) []string {
	if values := m[f.canonical]; len(values) > 0 {
		return values
	}
	return m[f.lower]
}

// present reports whether any value of the field is not empty.
func (f field) present(carrier propagation.TextMapCarrier) bool {
	var one [1]string
	for _, value := range f.values(carrier, &one) {
		if value != "" {
			return true
		}
	}
	return false
}

// put makes value the only one of the field, or takes the field away if value is empty.
// What was there came from somewhere else, and must not be taken for ours: a reverse proxy
// may pass on the headers of its client.
func (f field) put(carrier propagation.TextMapCarrier, value string) {
	switch c := carrier.(type) {
	case propagation.HeaderCarrier:
		delete(c, f.lower) // net/http sends it too, if somebody put it there.
		if value == "" {
			delete(c, f.canonical)
			return
		}
		c[f.canonical] = []string{value}
	case propagation.MapCarrier:
		delete(c, f.canonical) // As above, once the map is copied to a header.
		if value == "" {
			delete(c, f.lower)
			return
		}
		c[f.lower] = value
	case ownCarrier:
		if value == "" {
			c.Delete(f.lower)
			return
		}
		c.Set(f.lower, value)
	default:
		f.remove(carrier)
		if value != "" || f.present(carrier) {
			carrier.Set(f.lower, value)
		}
	}
}

// bytesCarrier is a carrier whose values are bytes. SetBytes does what Set does, and may
// keep the value. So no string has to be made first.
type bytesCarrier interface {
	SetBytes(key string, value []byte)
}

// putBytes is put for such a carrier.
func (f field) putBytes(carrier propagation.TextMapCarrier, c bytesCarrier, value []byte) {
	f.remove(carrier)
	if len(value) > 0 {
		c.SetBytes(f.lower, value)
	}
}

// remove takes the field out of a carrier of an unknown type, as far as the type allows.
func (f field) remove(carrier propagation.TextMapCarrier) {
	switch c := carrier.(type) {
	case interface{ Delete(key string) }:
		c.Delete(f.lower)
	case interface{ Del(key string) }: // As of http.Header and what embeds it.
		c.Del(f.lower)
	}
	m := reflect.ValueOf(carrier)
	if m.Kind() != reflect.Map || m.Type().Key().Kind() != reflect.String {
		return
	}
	for _, key := range m.MapKeys() { // How this type spells its keys is unknown.
		if strings.EqualFold(key.String(), f.lower) {
			m.SetMapIndex(key, reflect.Value{})
		}
	}
}
