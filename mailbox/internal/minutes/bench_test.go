// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package minutes_test

import (
	"strconv"
	"testing"

	"github.com/waybill-go/waybill/mailbox/internal/minutes"
)

// BenchmarkMessage adds messages, to processes that are kept, of which each handles so
// many in a row; and to more processes than are kept.
func BenchmarkMessage(b *testing.B) {
	for _, test := range []struct {
		name             string
		processes, inRow int
	}{
		{"one process, 64 in a row", 1, 64},
		{"one process, one by one", 1, 1},
		{"10,000 processes", 10_000, 1},
		{"1,000,000 processes", 1_000_000, 1},
	} {
		b.Run(test.name, func(b *testing.B) {
			ids := make([]string, test.processes)
			for i := range ids {
				ids[i] = strconv.Itoa(i)
			}
			s := minutes.New(0)
			_, now := clockOf(s)
			k := s.Kind("session", nameOf)
			m := took(now, 1)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				id := ids[i%len(ids)]
				var batch *minutes.Batch
				for range test.inRow {
					batch = k.Add(batch, id, m)
				}
				k.Flush(batch, id)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*test.inRow), "ns/message")
		})
	}
}
