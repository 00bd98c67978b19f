// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"errors"
	"slices"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/waybill-go/waybill/internal/guard"
)

// MetricReader returns a reader for one meter provider, which is made with
// sdkmetric.WithReader. A program with several meter providers calls it for each of them.
// The console reads when somebody looks at it, and shows the metrics whose names begin
// with "waybill.". A reader that no provider has, or whose provider was shut down, has
// nothing to show.
func (c *Console) MetricReader() sdkmetric.Reader {
	reader := sdkmetric.NewManualReader()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readers = append(c.readers, reader)
	return reader
}

var errCallback = errors.New("console: a callback of a metric panicked")

// collected is what all readers read.
type collected struct {
	programs []metricdata.ResourceMetrics // one for each meter provider
	attached bool                         // at least one provider has a reader
	shutDown bool                         // at least one provider had a reader, and was shut down
	err      error                        // Something could not be read. What could is there.
}

// collect reads all readers.
func (c *Console) collect(ctx context.Context) collected {
	c.mu.Lock()
	readers := slices.Clone(c.readers)
	all := collected{shutDown: c.readerShutDown}
	c.mu.Unlock()
	for _, reader := range readers {
		var read metricdata.ResourceMetrics
		err := errCallback
		guard.Do(func() { err = reader.Collect(ctx, &read) }) // Metrics call what users plug in.
		switch {
		case errors.Is(err, sdkmetric.ErrReaderNotRegistered):
			continue
		case errors.Is(err, sdkmetric.ErrReaderShutdown):
			c.forget(reader)
			all.shutDown = true
			continue
		}
		all.attached = true
		all.programs = append(all.programs, read)
		all.err = errors.Join(all.err, err)
	}
	return all
}

// forget lets go of a reader that was shut down.
func (c *Console) forget(reader *sdkmetric.ManualReader) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readerShutDown = true
	c.readers = slices.DeleteFunc(c.readers, func(other *sdkmetric.ManualReader) bool { return other == reader })
}
