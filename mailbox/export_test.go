// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import "time"

// DistinctStats returns counts that are all different, and not zero.
func DistinctStats() Stats {
	return Stats{
		2, Refused{3, 4, 5}, 6, 7, 8, 59, 23, 27, DeadLetters{10, 11, 12, 13}, 14, 15, 16, 17, 18, 19, 20, 21, 1,
	}
}

// AddStats returns the sum of both.
func AddStats(a, b Stats) Stats {
	a.add(&b)
	return a
}

// MetricsOf returns what the metrics make of s, by name and reason.
func MetricsOf(s Stats) map[string]uint64 {
	values := make(map[string]uint64, len(figures))
	for _, f := range figures {
		name := f.Name()
		for _, reason := range f.Attrs() {
			name += " " + reason.Value.AsString()
		}
		values[name] = f.Value(s)
	}
	return values
}

// Pressure returns what the metrics say of the fullest mailbox and the oldest message of all
// kinds.
func (s *System) Pressure() (waiting int, utilization float64, oldest time.Duration) {
	var all pressure
	for _, r := range s.kindReadings() {
		all.waiting = max(all.waiting, r.most.waiting)
		all.utilization = max(all.utilization, r.most.utilization)
		all.oldest = max(all.oldest, r.most.oldest)
	}
	return all.waiting, all.utilization, time.Duration(all.oldest)
}

// Waiting returns how many processes wait for a worker, and in how many chunks.
func (s *System) Waiting() (processes, chunks int) { return s.sched.Waiting() }
