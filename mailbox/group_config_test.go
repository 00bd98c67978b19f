// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"

	"github.com/waybill-go/waybill/sampling"
)

// reported returns what OpenTelemetry's error handler is told from now until the
// test ends.
func reported(t *testing.T) *[]error {
	t.Helper()
	var list []error
	before := otel.GetErrorHandler()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { list = append(list, err) }))
	t.Cleanup(func() { otel.SetErrorHandler(before) })
	return &list
}

// A group whose sampling makes no sense has that of the control, and it is told.
func TestSamplingThatMakesNoSenseIsLeftOut(t *testing.T) {
	everyone := sampling.GroupConfig{Curve: sampling.Always()}
	for name, change := range map[string]func(*sampling.GroupConfig){
		"negative spans":       func(c *sampling.GroupConfig) { c.MaxSpans = -5 },
		"negative rate":        func(c *sampling.GroupConfig) { c.SpansPerSecond = -1 },
		"no rate":              func(c *sampling.GroupConfig) { c.SpansPerSecond = math.NaN() },
		"endless rate":         func(c *sampling.GroupConfig) { c.SpansPerSecond = math.Inf(1) },
		"negative cap":         func(c *sampling.GroupConfig) { c.MaxSpansPerSecond = -1 },
		"a cap below the rate": func(c *sampling.GroupConfig) { c.SpansPerSecond, c.MaxSpansPerSecond = 9, 8 },
	} {
		t.Run(name, func(t *testing.T) {
			errs := reported(t)
			rec := record(t)
			sys := rec.system()
			broadcast := func(config sampling.GroupConfig) int {
				group := crowd(t, sys, "session", 100, config)
				ctx, root := rec.start()
				defer root.End()
				return group.Broadcast(ctx, nothing).Sampled
			}
			assert.Equal(t, 100, broadcast(everyone), "as it says")
			require.Empty(t, *errs)
			bad := everyone
			change(&bad)
			assert.Equal(t, 10, broadcast(bad), "as the control says")
			require.Len(t, *errs, 1)
			require.ErrorIs(t, (*errs)[0], sampling.ErrSettings)
			require.ErrorContains(t, (*errs)[0], `group "sessions"`)
			drain(t, sys)
		})
	}
}
