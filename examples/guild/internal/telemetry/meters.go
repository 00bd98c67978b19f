// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// Meters makes the MeterProvider of the whole program, which the readers read.
func (t *Telemetry) Meters(ctx context.Context, readers ...sdkmetric.Reader) (metric.MeterProvider, error) {
	if t.settings.disabled {
		return noop.NewMeterProvider(), nil
	}
	about, err := t.describe(ctx, program)
	if err != nil {
		return nil, err
	}
	options := []sdkmetric.Option{sdkmetric.WithResource(about)}
	for _, reader := range readers {
		options = append(options, sdkmetric.WithReader(reader))
	}
	var provider *sdkmetric.MeterProvider
	t.warnings.during(func() { provider = sdkmetric.NewMeterProvider(options...) }) // describe has told of it.
	t.ends = append(t.ends, provider.Shutdown)
	return provider, nil
}

// program is the name under which all services together measure.
const program = "guild-example"
