// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package minutes_test

import (
	"fmt"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/observe"
	"github.com/waybill-go/waybill/internal/stattest"
	"github.com/waybill-go/waybill/mailbox/internal/minutes"
)

// Whatever comes in which order and in which batches, the sums are those of a sum by hand.
func TestSumsAreExact(t *testing.T) {
	random := stattest.Seeded(t)
	s := minutes.New(0)
	minute, now := clockOf(s)
	types := []reflect.Type{
		reflect.TypeFor[create](), reflect.TypeFor[update](), reflect.TypeFor[remove](),
		reflect.TypeFor[int](), reflect.TypeFor[string](), reflect.TypeFor[bool](), // More than a batch has room for.
	}
	kinds := []*minutes.Kind{s.Kind("guild", nameOf), s.Kind("session", nameOf)}
	want := make(map[[3]string]minutes.Sums)
	for now < s.EndOf(minute) {
		i := random.IntN(len(kinds))
		id := strconv.Itoa(random.IntN(5))
		var b *minutes.Batch
		for range 1 + random.IntN(20) {
			m := minutes.Message{
				Type: types[random.IntN(len(types))], Sent: now - random.Int64N(1e9), Begun: now,
				Ended: now + random.Int64N(1e8), Weight: 1 + random.Uint32N(3),
			}
			if now = m.Ended; now > s.EndOf(minute) {
				break
			}
			b = kinds[i].Add(b, id, &m)
			key := [3]string{[]string{"guild", "session"}[i], id, m.Type.Name()}
			sums, weight := want[key], int64(m.Weight)
			sums.Count += uint64(m.Weight)
			sums.Timed++
			sums.Busy += (m.Ended - m.Begun) * weight
			sums.Waited += (m.Begun - m.Sent) * weight
			sums.Longest = max(sums.Longest, m.Ended-m.Begun)
			sums.LongestWait = max(sums.LongestWait, m.Begun-m.Sent)
			want[key] = sums
		}
		if b != nil {
			kinds[i].Flush(b, id)
		}
	}
	assert.Equal(t, want, kept(s, minute, minute))
	assert.Zero(t, s.Usage().Forgotten)
	found := s.Minutes("guild", "3", minute)
	require.Len(t, found, 1)
	for typ, sums := range total(found[0].Rows) {
		assert.Equal(t, want[[3]string{"guild", "3", typ}], sums)
	}
}

func TestWaitIsNeverNegative(t *testing.T) {
	s := minutes.New(0)
	minute, now := clockOf(s)
	add(s.Kind("guild", nameOf), "1", &minutes.Message{Type: typeOfCreate, Sent: now + 5, Begun: now, Ended: now + 1, Weight: 1})
	assert.Equal(t, minutes.Sums{Count: 1, Timed: 1, Busy: 1, Longest: 1}, kept(s, minute, minute)[[3]string{"guild", "1", "create"}])
}

// A handling that crosses minutes gives each of them the time that was spent in it.
func TestHandlingIsSplitAmongMinutes(t *testing.T) {
	const second, minute = int64(time.Second), int64(time.Minute)
	for _, test := range []struct {
		name         string
		before, took int64
		want         []int64 // busy, of the minutes that follow each other
	}{
		{"within", 2 * second, second, []int64{second}},
		{"to the end", 2 * second, 2 * second, []int64{2 * second}},
		{"from the beginning", 0, second, []int64{0, second}},
		{"over the end", 2 * second, 5 * second, []int64{2 * second, 3 * second}},
		{"over two ends", second, second + minute + 1, []int64{second, minute, 1}},
		{"of nothing, at the end", 0, 0, []int64{0}},
		{"of whole minutes", 0, 3 * minute, []int64{0, minute, minute, minute}},
	} {
		for _, weight := range []int64{1, 7} {
			t.Run(fmt.Sprintf("%s, %d", test.name, weight), func(t *testing.T) {
				s := minutes.New(0)
				first, _ := clockOf(s)
				begun := s.EndOf(first) - test.before
				m := took(begun, test.took)
				m.Sent, m.Weight = begun-3, uint32(weight)
				k := s.Kind("guild", nameOf)
				b := k.Add(nil, "1", took(begun-second, 1)) // So that there is something before it in its batch.
				b = k.Add(b, "1", m)
				b = k.Add(b, "1", took(m.Ended, 0)) // And after it.
				k.Flush(b, "1")
				var busy []int64
				var count uint64
				for i := range test.want {
					sums := kept(s, first+int64(i), first+int64(i))[[3]string{"guild", "1", "create"}]
					if i == 0 {
						sums.Busy-- // Of the one before it.
					}
					busy = append(busy, sums.Busy/weight)
					count += sums.Count
					if i == len(test.want)-1 {
						assert.Equal(t, max(test.took, 1), max(sums.Longest, 1))
						assert.EqualValues(t, 3, sums.LongestWait)
						assert.Equal(t, 3*weight, sums.Waited)
					}
				}
				assert.Equal(t, test.want, busy)
				last := first + int64(len(test.want))
				assert.EqualValues(t, 2+weight, count+kept(s, last, last)[[3]string{"guild", "1", "create"}].Count)
			})
		}
	}
}

func TestHandlingOfDaysIsKeptForAnHour(t *testing.T) {
	s := minutes.New(0)
	minute, now := clockOf(s)
	add(s.Kind("guild", nameOf), "1", took(now-int64(48*time.Hour), int64(48*time.Hour)+1))
	found := s.Minutes("guild", "1", 0)
	require.Len(t, found, minutes.Keep)
	assert.Equal(t, minute-minutes.Keep+1, found[0].Minute)
	for _, m := range found[:minutes.Keep-1] {
		assert.EqualValues(t, time.Minute, m.Rows[0].Busy)
	}
	assert.EqualValues(t, 1, found[minutes.Keep-1].Rows[0].Busy)
	assert.EqualValues(t, 48*time.Hour+1, found[minutes.Keep-1].Rows[0].Longest)
}

// A process that is busy with one long batch is seen before the batch is over.
func TestLongBatchIsWrittenOnTheWay(t *testing.T) {
	s := minutes.New(0)
	minute, now := clockOf(s)
	k := s.Kind("guild", nameOf)
	b := k.Add(nil, "1", took(now, int64(60*time.Millisecond)))
	assert.Empty(t, kept(s, minute, minute))
	b = k.Add(b, "1", took(now+int64(60*time.Millisecond), int64(60*time.Millisecond)))
	assert.EqualValues(t, 2, kept(s, minute, minute)[[3]string{"guild", "1", "create"}].Count)
	k.Flush(b, "1")
	assert.EqualValues(t, 2, kept(s, minute, minute)[[3]string{"guild", "1", "create"}].Count)
}

func TestTypesAreBounded(t *testing.T) {
	s := minutes.New(0)
	minute, now := clockOf(s)
	named := ""
	k := s.Kind("guild", func(reflect.Type) string { return named })
	for i := range minutes.MaxTypesOfKind + 10 {
		named = strconv.Itoa(i)
		for _, id := range []string{"all", strconv.Itoa(i)} {
			m := took(now, 1)
			m.Type = reflect.ArrayOf(i, typeOfCreate)
			add(k, id, m)
		}
	}
	of := kept(s, minute, minute)
	last := strconv.Itoa(minutes.MaxTypesOfKind - 1)
	assert.EqualValues(t, 1, of[[3]string{"guild", last, last}].Count, "a process that has few")
	beyond := strconv.Itoa(minutes.MaxTypesOfKind)
	assert.EqualValues(t, 1, of[[3]string{"guild", beyond, observe.Others}].Count, "one that the kind has no room for")
	assert.EqualValues(t, 1, of[[3]string{"guild", "all", strconv.Itoa(minutes.MaxTypes - 2)}].Count)
	assert.EqualValues(t, minutes.MaxTypesOfKind+10-(minutes.MaxTypes-1), of[[3]string{"guild", "all", observe.Others}].Count,
		"a process that has many")
}

func TestKindsAreBounded(t *testing.T) {
	s := minutes.New(minutes.LeastBytes)
	minute, now := clockOf(s)
	for i := range 100 {
		add(s.Kind(strconv.Itoa(i), nameOf), "1", took(now, 1))
	}
	assert.Same(t, s.Kind("0", nameOf), s.Kind("0", nil))
	assert.Same(t, s.Kind("98", nameOf), s.Kind("99", nameOf))
	assert.Same(t, s.Kind("98", nameOf), s.Kind(observe.Others, nameOf))
	var sum uint64
	for _, sums := range kept(s, minute, minute) {
		sum += sums.Count
	}
	assert.EqualValues(t, 100, sum)
	assert.LessOrEqual(t, s.Usage().Bytes, minutes.LeastBytes)
}

func TestOthersMayBeAskedForFirst(t *testing.T) {
	s := minutes.New(0)
	minute, now := clockOf(s)
	add(s.Kind(observe.Others, nameOf), "", took(now, 1))
	assert.EqualValues(t, 1, kept(s, minute, minute)[[3]string{observe.Others, "", "create"}].Count)
}

func TestKindsOfOneNameShare(t *testing.T) {
	s := minutes.New(0)
	minute, now := clockOf(s)
	add(s.Kind("guild", nameOf), "1", took(now, 1))
	add(s.Kind("guild", nameOf), "1", took(now, 1))
	add(s.Kind("session", nameOf), "1", took(now, 1))
	assert.Equal(t, map[[3]string]minutes.Sums{
		{"guild", "1", "create"}:   {Count: 2, Timed: 2, Busy: 2, Longest: 1},
		{"session", "1", "create"}: {Count: 1, Timed: 1, Busy: 1, Longest: 1},
	}, kept(s, minute, minute))
	assert.Nil(t, s.Minutes("nobody", "1", 0))
	assert.Empty(t, s.Minutes("guild", "2", 0))
}
