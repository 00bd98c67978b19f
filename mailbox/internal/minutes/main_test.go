// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package minutes_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/mailbox/internal/minutes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Types of messages.
type (
	create struct{}
	update struct{}
	remove struct{}
)

func nameOf(t reflect.Type) string { return t.Name() }

var typeOfCreate = reflect.TypeFor[create]()

// clockOf returns the reading at the beginning of the running minute.
func clockOf(s *minutes.Store) (minute, reading int64) {
	minute, _ = s.Now()
	return minute, s.EndOf(minute - 1)
}

// took is a message that was begun at that reading, and had not waited.
func took(begun, nanoseconds int64) *minutes.Message {
	return &minutes.Message{Type: typeOfCreate, Sent: begun, Begun: begun, Ended: begun + nanoseconds, Weight: 1}
}

// add adds messages one by one.
func add(k *minutes.Kind, id string, messages ...*minutes.Message) {
	for _, m := range messages {
		k.Flush(k.Add(nil, id, m), id)
	}
}

// total is the sum of rows by type.
func total(rows []minutes.Row) map[string]minutes.Sums {
	sums := make(map[string]minutes.Sums)
	for _, r := range rows {
		sum := sums[r.Type]
		sum.Add(&r.Sums)
		sums[r.Type] = sum
	}
	return sums
}

// kept returns the sums that are kept, by kind, ID and type.
func kept(s *minutes.Store, first, last int64) map[[3]string]minutes.Sums {
	all := make(map[[3]string]minutes.Sums)
	s.Each("", first, last, func(kind, id string, rows []minutes.Row) {
		for typ, sums := range total(rows) {
			key := [3]string{kind, strings.Clone(id), typ}
			if _, twice := all[key]; twice {
				panic("a process is visited twice")
			}
			all[key] = sums
		}
	})
	return all
}

// everything returns the sums of what was forgotten and of what is kept, in the order
// that Forgotten asks for.
func everything(s *minutes.Store, first, last int64) minutes.Sums {
	var sum minutes.Sums
	for _, rows := range s.Forgotten(first, last) {
		for _, r := range rows {
			sum.Add(&r.Sums)
		}
	}
	for _, sums := range kept(s, first, last) {
		sum.Add(&sums)
	}
	return sum
}

// ids returns the IDs of the processes of which something is kept.
func ids(s *minutes.Store, first, last int64) []string {
	found := make(map[string]bool)
	for key := range kept(s, first, last) {
		found[key[1]] = true
	}
	return slices.Sorted(maps.Keys(found))
}
