// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"
	"time"
)

// oursUsed is a process that is idle again after its first message.
const oursUsed = "ours-used"

// idleRow measures the memory of processes that have nothing to do. The runtime reuses
// the descriptors of dead goroutines, so from the second round on raw seems about 0.4
// KB smaller than it is.
func idleRow(name string, how spawning, processes int, ratios ...ratio) row {
	return row{
		name: name,
		about: strconv.Itoa(processes) + " idle processes, each " + how.String() +
			"; B/op is the memory that it keeps in use",
		size: processes, memory: retained, ratios: ratios,
		variants: []variant{
			{raw, func(size int) (*contender, error) { return rawSpawn(size), nil }},
			{ours, func(size int) (*contender, error) { return ourSpawn(size, how, false) }},
			{oursUsed, func(size int) (*contender, error) { return ourSpawn(size, how, true) }},
		},
	}
}

// millionRow measures the memory and the time of a million processes together. idleRow
// measures the memory of each.
func millionRow(mostMB, mostSeconds float64) row {
	const processes = 1_000_000
	return row{
		name: "million",
		about: "a million new processes, each " + registered.String() +
			"; B/op is what it takes right after, garbage and all",
		size: processes, memory: taken,
		variants: []variant{
			{raw, func(size int) (*contender, error) { return rawSpawn(size), nil }},
			{ours, func(size int) (*contender, error) { return ourSpawn(size, registered, false) }},
		},
		ratios: []ratio{
			allMB(ours, processes, mostMB),
			allSeconds(ours, processes, mostSeconds),
		},
	}
}

// bytesOf is how many bytes each operation of a variant leaves in use.
func bytesOf(variant string, target float64) ratio {
	return ratio{name: variant + " bytes", target: target, of: func(r round) float64 {
		return r[variant].bytes
	}}
}

// allMB is the memory of all operations of a go together, in megabytes.
func allMB(variant string, operations int, target float64) ratio {
	return ratio{name: variant + " MB", target: target, of: func(r round) float64 {
		return r[variant].bytes * float64(operations) / 1e6
	}}
}

// allSeconds is the time of all operations of a go together, in seconds.
func allSeconds(variant string, operations int, target float64) ratio {
	return ratio{name: variant + " s", target: target, of: func(r round) float64 {
		return r[variant].ns * float64(operations) / float64(time.Second)
	}}
}
