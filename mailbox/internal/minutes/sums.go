// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package minutes

// Sums are of messages of one type. Times are in nanoseconds.
type Sums struct {
	Count  uint64 // messages; an estimate if only some of them were timed
	Timed  uint64 // those that were timed
	Busy   int64  // that the handlings took; estimated like Count
	Waited int64  // that the messages had waited; estimated like Count

	Longest     int64 // the longest handling among those that were timed
	LongestWait int64 // likewise
}

// Add adds o to s.
func (s *Sums) Add(o *Sums) {
	s.Count += o.Count
	s.Timed += o.Timed
	s.Busy += o.Busy
	s.Waited += o.Waited
	s.Longest = max(s.Longest, o.Longest)
	s.LongestWait = max(s.LongestWait, o.LongestWait)
}

// add adds a message that stands for weight messages.
func (s *Sums) add(took, waited int64, weight uint32) {
	s.Count += uint64(weight)
	s.Timed++
	s.Busy += took * int64(weight)
	s.Waited += waited * int64(weight)
	s.Longest = max(s.Longest, took)
	s.LongestWait = max(s.LongestWait, waited)
}
