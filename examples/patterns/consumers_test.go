// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/patterns"
	"github.com/waybill-go/waybill/propagate"
)

func TestAccept(t *testing.T) {
	r := record(t)
	queue := make(orders, 2)
	accept := func(header map[string][]string) {
		require.NoError(t, patterns.Accept(t.Context(), propagate.SampledFirst{}, header, patterns.Order{}, queue))
	}
	header := map[string][]string{}
	r.from(t.Context(), "publish", func(ctx context.Context) {
		propagate.SampledFirst{}.Inject(ctx, propagate.MetadataCarrier(header))
	})
	accept(header)
	accept(nil)
	close(queue)
	patterns.Work(t.Context(), 1, queue, func(context.Context, patterns.Order) {})
	assert.Equal(t, map[string][]string{"publish": {"ship order"}}, r.below(t))
	assert.GreaterOrEqual(t, waited(t, r.named(t, "ship order")), 0.0)
}
