// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/internal/observe"
)

type pair struct{ First, Second uint64 }

var pairFields = []observe.Field[pair]{
	observe.NewField("test.first", "{thing}", "First.", func(p *pair) *uint64 { return &p.First }),
	observe.NewField("test.second", "{thing}", "Second.", func(p *pair) *uint64 { return &p.Second }),
}

// A tally may stand anywhere in a struct, on a machine of 32 bits too, where package
// atomic panics if a number is not aligned.
func TestTallyCountsInItsFields(t *testing.T) {
	var holder struct {
		_     bool
		tally observe.Tally[pair]
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				atomic.AddUint64(&holder.tally.Now.First, 1)
				atomic.AddUint64(&holder.tally.Now.Second, 3)
				counts := holder.tally.Load(pairFields)
				assert.LessOrEqual(t, counts.First, uint64(8000))
			}
		})
	}
	wg.Wait()
	assert.Equal(t, pair{8000, 24000}, holder.tally.Load(pairFields))
	assert.Equal(t, pair{0, 24000}, holder.tally.Load(pairFields[1:]), "of the fields in the table")
}

func TestLoadLeavesReadingsOut(t *testing.T) {
	reading := observe.NewReading("test.both", "{thing}", "Both.", func(p pair) uint64 { return p.First + p.Second })
	var tally observe.Tally[pair]
	atomic.AddUint64(&tally.Now.Second, 3)
	assert.Equal(t, pair{0, 3}, tally.Load(append(pairFields[1:2:2], reading)))
}
