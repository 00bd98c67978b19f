// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package timings

import (
	"cmp"
	"slices"

	"github.com/waybill-go/waybill/mailbox/internal/minutes"
)

// rows returns the row of all types, and one for each type, the busiest first.
func (p Period) rows(of []minutes.Row) (all Row, types []Row) {
	var total minutes.Sums
	byType := make(map[string]*minutes.Sums, len(of))
	for i := range of {
		total.Add(&of[i].Sums)
		sums, ok := byType[of[i].Type]
		if !ok {
			sums = new(minutes.Sums)
			byType[of[i].Type] = sums
		}
		sums.Add(&of[i].Sums)
	}
	types = make([]Row, 0, len(byType))
	for typ, sums := range byType {
		types = append(types, p.row(typ, sums))
	}
	slices.SortFunc(types, func(a, b Row) int {
		return cmp.Or(cmp.Compare(b.Busy, a.Busy), cmp.Compare(a.Type, b.Type))
	})
	return p.row("", &total), types
}
