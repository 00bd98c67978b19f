// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/examples/patterns"
)

// The context of main has a span, by mistake. No tick goes on with its trace.
func TestMaintain(t *testing.T) {
	r := record(t)
	minutes, seconds := make(chan time.Time), make(chan time.Time)
	work := func(name string) func(context.Context) {
		return func(ctx context.Context) { r.from(ctx, name, func(context.Context) {}) }
	}
	r.from(t.Context(), "main", func(ctx context.Context) {
		ctx, stop := context.WithCancel(ctx)
		go func() {
			defer stop()
			minutes <- time.Time{}
			seconds <- time.Time{}
			minutes <- time.Time{}
			seconds <- time.Time{} // All that came before has been done.
		}()
		patterns.Maintain(ctx, r.tracer, minutes, seconds, work("fetch prices"), work("beat"))
	})
	assert.Equal(t, map[string][]string{"refresh prices": {"fetch prices", "fetch prices"}}, r.below(t))
	assert.Len(t, r.Ended(), 5, "main, and two for each refresh")
}
