// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/live"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// planned is the fan-out over the nodes of a group. It has the sampling of the group, but a
// load of its own: the group of the members here counts its share itself.
type planned struct {
	name     string
	settings groupSettings
	provider trace.TracerProvider
	carry    envelope.CarryPolicy
	last     atomic.Pointer[plannedBy]
}

// plannedBy is the fan-out for one configuration.
type plannedBy struct {
	config *sampling.GroupConfig
	fanout *fanout.Fanout
}

// load returns the fan-out for the configuration that holds now.
func (p *planned) load() (*fanout.Fanout, error) {
	config := p.config()
	if last := p.last.Load(); last != nil && last.config == config {
		return last.fanout, nil
	}
	f, err := fanout.New(p.name+" nodes",
		fanout.WithTracerProvider(p.provider), fanout.WithSampling(*config), fanout.WithCarryPolicy(p.carry))
	if err != nil {
		return nil, err //nolint:wrapcheck // It says what it is about.
	}
	p.last.Store(&plannedBy{config, f})
	return f, nil
}

var byDefault sampling.GroupConfig

func (p *planned) config() *sampling.GroupConfig {
	switch {
	case p.settings.sampling != nil:
		return p.settings.sampling
	case p.settings.control != nil:
		control := (*live.Control[sampling.KindConfig, sampling.GroupConfig])(p.settings.control)
		return control.Group(p.name).Load()
	default:
		return &byDefault
	}
}
