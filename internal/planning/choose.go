// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package planning

// smallChoice is how many positions are chosen with a table on the stack.
const smallChoice = 64

// choose appends k distinct positions out of [0, n) to dst, ascending, every
// set of k equally likely, in O(k) expected time with k random numbers; with
// none where k is n.
//
// It is Floyd's algorithm (Bentley and Floyd, "A sample of brilliance", CACM
// 30(9), 1987). Its set of positions is a table with linear probing whose hash
// is the position's own rank, so that it can be read out nearly sorted.
func choose(dst []int, n, k int, intN func(int) int) []int {
	if k >= n {
		for i := range n {
			dst = append(dst, i)
		}
		return dst
	}
	var small [2 * smallChoice]int
	table := rankTable{slots: small[:], n: n}
	if k > smallChoice {
		table.slots = make([]int, 2*k)
	} else {
		table.slots = small[:2*k]
	}
	for last := n - k; last < n; last++ {
		if x := intN(last + 1); !table.insert(x) {
			table.insert(last)
		}
	}
	return table.appendSorted(dst)
}

// rankTable is a set of positions below n, at most half full. A slot holds a
// position plus one, or zero if it is empty.
type rankTable struct {
	slots []int
	n     int
}

// insert adds x and reports whether it was not in the table yet.
func (t *rankTable) insert(x int) bool {
	m := len(t.slots)
	for i := int(float64(x) / float64(t.n) * float64(m)); ; i++ {
		if i >= m {
			i = 0
		}
		switch t.slots[i] {
		case 0:
			t.slots[i] = x + 1
			return true
		case x + 1:
			return false
		}
	}
}

// appendSorted appends the positions to dst in ascending order. Only probing
// moves a position from its rank, so insertion sort has almost nothing to do.
func (t *rankTable) appendSorted(dst []int) []int {
	start := len(dst)
	for _, slot := range t.slots {
		if slot == 0 {
			continue
		}
		x, i := slot-1, len(dst)
		dst = append(dst, x)
		for ; i > start && dst[i-1] > x; i-- {
			dst[i] = dst[i-1]
		}
		dst[i] = x
	}
	return dst
}
