// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/waybill-go/waybill/mailbox"
)

// TestIndexIsLikeAMap: whatever is added and removed, in any order.
func TestIndexIsLikeAMap(t *testing.T) {
	for name, newIndex := range map[string]func() *mailbox.Index{
		"that splits": mailbox.NewIndex, "that cannot split any more": mailbox.NewDeepIndex,
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				x, model := newIndex(), make(map[string]mailbox.Ref[int])
				ids := rapid.IntRange(1, 2000).Draw(t, "IDs")
				for range rapid.IntRange(0, 3*ids).Draw(t, "steps") {
					id := strconv.Itoa(rapid.IntRange(0, ids).Draw(t, "ID"))
					if ref, found := model[id]; found {
						x.Remove(ref)
						delete(model, id)
					} else {
						model[id] = x.Add(id)
					}
				}
				for n := range ids + 1 {
					id := strconv.Itoa(n)
					want, found := model[id]
					got := x.Get(id)
					if got != want || found != (got != mailbox.Ref[int]{}) {
						t.Fatalf("%q: %v, want %v", id, got, want)
					}
				}
				if x.Len() != len(model) {
					t.Fatalf("%d processes, want %d", x.Len(), len(model))
				}
			})
		})
	}
}

func TestIndexOfManyIsSmall(t *testing.T) {
	const processes = 100_000
	x := mailbox.NewIndex()
	refs := make([]mailbox.Ref[int], processes)
	for i := range refs {
		refs[i] = x.Add(strconv.Itoa(i))
	}
	for i, ref := range refs {
		require.Equal(t, ref, x.Get(strconv.Itoa(i)))
	}
	assert.Less(t, x.Bytes(), 30*processes, "a map takes 29 to 57 bytes for each, and as many again as it grows")
	for _, ref := range refs {
		x.Remove(ref)
	}
	assert.Zero(t, x.Len())
	assert.Zero(t, x.Kept(), "nobody who was removed")
}

func TestIndexIgnoresStrangers(t *testing.T) {
	x, other := mailbox.NewIndex(), mailbox.NewIndex()
	x.Remove(other.Add("a"))
	assert.Zero(t, x.Get("a"))
	a := x.Add("a")
	x.Remove(other.Add("a"))
	assert.Equal(t, a, x.Get("a"), "of the same ID, but not the same")
}
