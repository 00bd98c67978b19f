// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/sampling"
)

// Every limit has one rule, in Go and in JSON: zero is the default, Unlimited none, and
// other negative numbers are refused.
func TestOneRuleForZeroAndUnlimited(t *testing.T) {
	for name, limit := range map[string]struct {
		json string
		set  func(c *sampling.Config, limit float64)
	}{
		"of a fan-out": {
			`{"default_group": {"max_spans": %v}}`,
			func(c *sampling.Config, limit float64) { c.DefaultGroup.MaxSpans = int(limit) },
		},
		"rate of a group": {
			`{"default_group": {"spans_per_second": %v}}`,
			func(c *sampling.Config, limit float64) { c.DefaultGroup.SpansPerSecond = limit },
		},
		"cap of a group": {
			`{"default_group": {"max_spans_per_second": %v}}`,
			func(c *sampling.Config, limit float64) { c.DefaultGroup.MaxSpansPerSecond = limit },
		},
		"rate of a kind": {
			`{"default": {"spans_per_second": %v}}`,
			func(c *sampling.Config, limit float64) { c.Default.SpansPerSecond = limit },
		},
		"cap of a kind": {
			`{"default": {"max_spans_per_second": %v}}`,
			func(c *sampling.Config, limit float64) { c.Default.MaxSpansPerSecond = limit },
		},
		"late spans": {
			`{"default": {"late": {"per_second": %v}}}`,
			func(c *sampling.Config, limit float64) { c.Default.Late.PerSecond = limit },
		},
	} {
		t.Run(name, func(t *testing.T) {
			for value, ok := range map[float64]bool{0: true, 7: true, sampling.Unlimited: true, -2: false, -100: false} {
				var c sampling.Config
				limit.set(&c, value)
				control, err := sampling.NewControl(c)
				w := ask(newControl(t), http.MethodPut, fmt.Sprintf(limit.json, value))
				if !ok {
					require.ErrorIs(t, err, sampling.ErrConfig)
					assert.Equal(t, http.StatusBadRequest, w.Code, w.Body)
					continue
				}
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, w.Code, w.Body)
				assert.Equal(t, ask(control, http.MethodGet, "").Body.String(), w.Body.String(), "the same in Go and in JSON")
			}
		})
	}
}

func TestWhatIsLeftOutIsTheZeroConfig(t *testing.T) {
	c := newControl(t)
	require.NoError(t, c.Set(sampling.Config{Default: sampling.KindConfig{NoSpans: true}}))
	for _, body := range []string{`{}`, `{"default": {}, "default_group": {}}`, `{"default": {"late": {}, "no_spans": false}}`} {
		w := ask(c, http.MethodPut, body)
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		assert.Equal(t, sampling.Config{}, c.Config(), body)
	}
	var zero sampling.Control
	assert.Equal(t, sampling.Config{}, zero.Config())
}
