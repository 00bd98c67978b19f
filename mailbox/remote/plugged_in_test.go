// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// brokenMeters are a meter provider whose registrations panic when they are to end.
type brokenMeters struct {
	noop.MeterProvider

	ended *int
}

func (b brokenMeters) Meter(string, ...metric.MeterOption) metric.Meter {
	return brokenMeter{ended: b.ended}
}

type brokenMeter struct {
	noop.Meter

	ended *int
}

func (b brokenMeter) RegisterCallback(metric.Callback, ...metric.Observable) (metric.Registration, error) {
	return brokenRegistration{ended: b.ended}, nil
}

type brokenRegistration struct {
	noop.Registration

	ended *int
}

func (b brokenRegistration) Unregister() error {
	*b.ended++
	panic("broken")
}

// A meter provider that panics takes nothing down when a group and its node are closed.
func TestMeterProviderThatPanicsAtTheEnd(t *testing.T) {
	ended := 0
	m := newMachine(t, natstest.Start(t, natstest.Options{}), remote.WithMeterProvider(brokenMeters{ended: &ended}))
	g := newGroup(t, m, "sessions")
	require.NoError(t, g.Close(t.Context()))
	assert.Equal(t, 1, ended)
	require.NoError(t, m.node.Close(t.Context()))
	assert.Equal(t, 2, ended)
}
