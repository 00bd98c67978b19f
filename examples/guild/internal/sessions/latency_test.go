// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sessions_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
)

func TestLatency(t *testing.T) {
	var l sessions.Latency
	assert.Zero(t, l.Quantile(0.5))
	for i := range 1000 {
		l.Took(time.Duration(i)*time.Microsecond, time.Millisecond)
	}
	l.Took(time.Second, sessions.SlowAfter)
	l.Took(time.Hour, 100*time.Hour)
	assert.InEpsilon(t, 1500*time.Microsecond, l.Quantile(0.5), 0.02)
	assert.InEpsilon(t, 1990*time.Microsecond, l.Quantile(0.99), 0.02)
	assert.Greater(t, l.Quantile(1), time.Hour)
}
