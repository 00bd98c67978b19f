// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/examples/guild/internal/nodes"
	"github.com/waybill-go/waybill/examples/guild/internal/telemetry"
)

// spread starts the session nodes, if there are to be some, and takes the spans that they
// export.
func (r *run) spread(ctx context.Context, log *slog.Logger) error {
	if r.c.Nodes == 0 {
		return nil
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("start the session nodes: %w", err)
	}
	forward, err := r.tel.Forward(ctx)
	if err != nil {
		return err
	}
	if r.receiver, err = telemetry.Receive(ctx, func(spans []sdktrace.ReadOnlySpan) {
		for _, span := range spans {
			r.insight.console.OnEnd(span)
			r.sums.OnEnd(span)
			r.spans.Take(span)
			forward(span)
		}
	}, r.warn); err != nil {
		return err
	}
	fleet, err := nodes.StartFleet(ctx, nodes.FleetConfig{
		Hub: r.services.hub, Nodes: r.c.Nodes, Program: program, Collector: r.receiver.Collector(),
		Ledger: r.ledger, Out: r.out, Log: r.errOut, Logger: log,
	})
	if err != nil {
		r.receiver.Close()
		return err
	}
	r.services.fleet.Store(fleet)
	return nil
}

// endNodes ends the session nodes.
func (s *services) endNodes(ctx context.Context) error {
	if fleet := s.fleet.Load(); fleet != nil {
		fleet.Close(ctx)
	}
	return nil
}

// leaveNodes ends what is between nodes.
func (s *services) leaveNodes(ctx context.Context) error {
	if s.hub == nil {
		return nil
	}
	return s.hub.Close(ctx)
}

// total returns what the sessions of all nodes have done.
func (s *services) total() nodes.State {
	n := s.sessions
	here := nodes.State{
		Connected: n.Connected(), Sessions: n.Tally.Counts(),
		Traffic: nodes.TrafficOf(n.Stats()), Latency: n.Latency.Counts(),
	}
	fleet := s.fleet.Load()
	if fleet == nil {
		return here
	}
	return here.Plus(fleet.State())
}
