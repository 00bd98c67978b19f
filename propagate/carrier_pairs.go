// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagate

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/propagation"
)

// PairsCarrier returns a function that makes carriers for lists of key and value,
// such as the headers of a Kafka record. Call it once for each type of list:
//
//	var recordHeaders = propagate.PairsCarrier(
//		func(h kgo.RecordHeader) (string, []byte) { return h.Key, h.Value },
//		func(key string, value []byte) kgo.RecordHeader { return kgo.RecordHeader{Key: key, Value: value} },
//	)
//
//	propagator.Inject(ctx, recordHeaders(&record.Headers))
//
// split returns key and value of an element, and keeps and changes nothing. join
// makes an element of a key and a value, and may keep both. PairsCarrier panics if
// either is nil. Any number of goroutines may call the function that it returns.
//
// A carrier is for one message and one goroutine at a time. It writes keys in lower
// case. It reads keys in lower case, and those that are spelled as net/http spells
// them; if both are there and their values differ, it shows none. It never changes the array that it found, nor what lies behind the end of the
// list, because other messages may share them: the first change replaces the list by a
// copy with room for the fields of a trace. A nil pointer is an empty list that nobody
// sees. Like the other carriers of this package it shows repeated values
// ([propagation.ValuesGetter]) and has a method Delete(key string).
func PairsCarrier[E any, K, V ~string | ~[]byte](
	split func(element E) (key K, value V), join func(key K, value V) E,
) func(list *[]E) propagation.TextMapCarrier {
	if split == nil || join == nil {
		panic("propagate: PairsCarrier needs both functions")
	}
	return func(list *[]E) propagation.TextMapCarrier {
		if list == nil {
			list = new([]E)
		}
		return &pairsCarrier[E, K, V]{split: split, join: join, list: list}
	}
}

// pairsCarrier is what [PairsCarrier] makes.
type pairsCarrier[E any, K, V ~string | ~[]byte] struct {
	split func(element E) (key K, value V)
	join  func(key K, value V) E
	list  *[]E
	// own is the list that this carrier made. The room behind its end is this carrier's
	// alone, because list has no capacity beyond its end.
	own []E
	// found holds one value for each spelling of each field of the standards, so that to
	// read one field does not overwrite what was read of another.
	found [3][2]string
}

var (
	_ ownCarrier               = (*pairsCarrier[struct{}, string, []byte])(nil)
	_ propagation.ValuesGetter = (*pairsCarrier[struct{}, string, []byte])(nil)
	_ bytesCarrier             = (*pairsCarrier[struct{}, string, []byte])(nil)
)

// fieldsWritten is for how many more elements a copy of a list has room.
const fieldsWritten = 3

// Get returns the first of the values that Values returns, or an empty string.
func (c *pairsCarrier[E, K, V]) Get(key string) string { return first(c.Values(key)) }

// Values returns all values under key in lower case, in their order. If there are none, it
// returns those under key as net/http spells it. If both have values, and these differ, it
// returns none. For a key of W3C Trace Context or Baggage, the slice is valid until the next
// call with the same key.
func (c *pairsCarrier[E, K, V]) Values(key string) []string {
	return known(c.findAll(fieldOf(key)))
}

func (c *pairsCarrier[E, K, V]) findAll(f field) (values []string, ok bool) {
	values, other := c.space(f)
	for _, element := range *c.list {
		switch k, value := c.split(element); string(k) {
		case f.lower:
			values = append(values, string(value))
		case f.canonical:
			other = append(other, string(value))
		}
	}
	return oneSpelling(values, other)
}

// space returns two empty slices with room for one value of the field, for its two
// spellings.
func (c *pairsCarrier[E, K, V]) space(f field) (lower, canonical []string) {
	var room *[2]string
	switch f.lower {
	case traceparentField.lower:
		room = &c.found[0]
	case tracestateField.lower:
		room = &c.found[1]
	case baggageField.lower:
		room = &c.found[2]
	default:
		room = new([2]string)
	}
	return room[:0:1], room[1:1]
}

// Set makes value the only one under key, in every spelling. The new element is the last of
// the list, with its key in lower case.
func (c *pairsCarrier[E, K, V]) Set(key, value string) { c.set(key, V(value)) }

// SetBytes is Set for a value of bytes, which the list keeps if it holds bytes. Then the
// propagators of this package need no string for it.
func (c *pairsCarrier[E, K, V]) SetBytes(key string, value []byte) { c.set(key, V(value)) }

func (c *pairsCarrier[E, K, V]) set(key string, value V) {
	c.Delete(key)
	c.claim()
	c.own = append(c.own, c.join(K(fieldOf(key).lower), value))
	c.publish()
}

// Delete removes key in every spelling.
func (c *pairsCarrier[E, K, V]) Delete(key string) {
	for _, element := range *c.list {
		if k, _ := c.split(element); isSpelled(k, key) {
			c.remove(key)
			return
		}
	}
}

// remove replaces the list by one without key.
func (c *pairsCarrier[E, K, V]) remove(key string) {
	c.own = make([]E, 0, len(*c.list)+fieldsWritten)
	for _, element := range *c.list {
		if k, _ := c.split(element); !isSpelled(k, key) {
			c.own = append(c.own, element)
		}
	}
	c.publish()
}

// claim makes sure that own is the list: it makes a copy unless the list is still the one
// that publish has left there.
func (c *pairsCarrier[E, K, V]) claim() {
	list := *c.list
	if len(list) == 0 || len(list) != len(c.own) || &list[0] != &c.own[0] {
		c.own = append(make([]E, 0, len(list)+fieldsWritten), list...)
	}
}

// publish shows the list without the room behind its end.
func (c *pairsCarrier[E, K, V]) publish() { *c.list = slices.Clip(c.own) }

// Keys returns the keys as they are spelled, in their order, each as often as it is there.
func (c *pairsCarrier[E, K, V]) Keys() []string {
	names := make([]string, 0, len(*c.list))
	for _, element := range *c.list {
		key, _ := c.split(element)
		names = append(names, string(key))
	}
	return names
}

func (*pairsCarrier[E, K, V]) ours() {}

// isSpelled reports whether k is key, however it is spelled.
func isSpelled[K ~string | ~[]byte](k K, key string) bool {
	return len(k) == len(key) && strings.EqualFold(string(k), key)
}
