// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"hash/maphash"
	"slices"
)

// index finds processes by their IDs. It is a hash table by extendible hashing
// (Fagin and others, 1979): a page that is full is split in two, and no other page
// is touched. It holds the processes alone, who know their IDs, and some bits of
// their hashes; so it takes half of what a map does, which needs the IDs as keys, and
// leaves none of a map's garbage as it grows. Of a million processes both together
// would be a third. It keeps the pages that it once had.
type index[M any] struct {
	seed  maphash.Seed
	pages []*indexPage[M] // by the last bits of the hash: as many as tell them apart
}

// indexPage holds the processes whose hashes have their last depth bits in common,
// in any order.
type indexPage[M any] struct {
	hashes    []uint32
	processes []*process[M]
	depth     int

	hashRoom    [indexPageSize]uint32
	processRoom [indexPageSize]*process[M]
}

const (
	indexPageSize = 32
	// indexDepth bounds the number of pages; deeper ones grow. It would take a
	// billion processes, or hashes that are none.
	indexDepth = 26
)

// get returns the process of that ID, or nil.
func (x *index[M]) get(id string) *process[M] {
	if x.pages == nil {
		return nil
	}
	hash := x.hash(id)
	page := x.page(hash)
	for i, h := range page.hashes {
		if h == hash && page.processes[i].id == id {
			return page.processes[i]
		}
	}
	return nil
}

// add adds p. There must be none of its ID.
func (x *index[M]) add(p *process[M]) {
	if x.pages == nil {
		x.seed = maphash.MakeSeed()
		x.pages = []*indexPage[M]{newIndexPage[M](0)}
	}
	hash := x.hash(p.id)
	page := x.page(hash)
	for len(page.hashes) >= indexPageSize && page.depth < indexDepth {
		x.split(page)
		page = x.page(hash)
	}
	page.add(hash, p)
}

// remove removes p, if it is there.
func (x *index[M]) remove(p *process[M]) {
	if x.pages == nil {
		return
	}
	page := x.page(x.hash(p.id))
	for i, other := range page.processes {
		if other == p {
			page.remove(i)
			return
		}
	}
}

func (x *index[M]) hash(id string) uint32 {
	return uint32(maphash.String(x.seed, id)) //nolint:gosec // So many bits are enough.
}

func (x *index[M]) page(hash uint32) *indexPage[M] {
	return x.pages[int(hash)&(len(x.pages)-1)]
}

// split moves half of what is on the page, which must not be empty, to a new one.
func (x *index[M]) split(page *indexPage[M]) {
	bit := 1 << page.depth
	if bit == len(x.pages) {
		x.pages = append(x.pages, x.pages...)
	}
	page.depth++
	other := newIndexPage[M](page.depth)
	common := int(page.hashes[0]) & (bit - 1)
	for i, hash := range slices.Backward(page.hashes) {
		if int(hash)&bit != 0 {
			other.add(hash, page.processes[i])
			page.remove(i)
		}
	}
	for i := common | bit; i < len(x.pages); i += 2 * bit {
		x.pages[i] = other
	}
}

func newIndexPage[M any](depth int) *indexPage[M] {
	page := &indexPage[M]{depth: depth}
	page.hashes, page.processes = page.hashRoom[:0], page.processRoom[:0]
	return page
}

func (page *indexPage[M]) add(hash uint32, p *process[M]) {
	page.hashes = append(page.hashes, hash)
	page.processes = append(page.processes, p)
}

func (page *indexPage[M]) remove(i int) {
	last := len(page.hashes) - 1
	page.hashes[i], page.processes[i] = page.hashes[last], page.processes[last]
	page.processes[last] = nil
	page.hashes, page.processes = page.hashes[:last], page.processes[:last]
}
