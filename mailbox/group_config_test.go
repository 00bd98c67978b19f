// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

func TestSamplingThatMakesNoSenseIsRefused(t *testing.T) {
	sys := newSystem(t)
	for name, bad := range map[string]sampling.GroupConfig{
		"negative spans":       {MaxSpans: -5},
		"negative rate":        {SpansPerSecond: -2},
		"no rate":              {SpansPerSecond: math.NaN()},
		"endless rate":         {SpansPerSecond: math.Inf(1)},
		"negative cap":         {MaxSpansPerSecond: -2},
		"a cap below the rate": {SpansPerSecond: 9, MaxSpansPerSecond: 8},
	} {
		t.Run(name, func(t *testing.T) {
			group, err := mailbox.NewGroup[job](sys, "sessions", mailbox.WithSampling(bad))
			require.ErrorIs(t, err, mailbox.ErrConfig)
			require.ErrorIs(t, err, sampling.ErrConfig)
			require.ErrorContains(t, err, `group "sessions"`)
			assert.Nil(t, group)
		})
	}
}
