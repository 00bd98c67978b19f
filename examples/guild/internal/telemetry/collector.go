// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Collector is one that takes spans by gRPC from whoever knows its token, on a connection
// that does not leave the machine.
type Collector struct {
	Addr  string `json:"addr"`  // HOST:PORT
	Token string `json:"token"` // shown as Bearer in the header "authorization"
}

// collectEvery is how long spans wait for others to be exported with, to a Collector.
const collectEvery = 200 * time.Millisecond

const tokenHeader = "authorization"

func (c Collector) header() string { return "Bearer " + c.Token }

func (c Collector) exporter(ctx context.Context) (sdktrace.SpanExporter, error) {
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(c.Addr), otlptracegrpc.WithInsecure(),
		otlptracegrpc.WithHeaders(map[string]string{tokenHeader: c.header()}))
	if err != nil {
		return nil, fmt.Errorf("export to %s: %w", c.Addr, err)
	}
	return exporter, nil
}

// reach reports why the collector at endpoint cannot be reached: nil if it
// can, or if endpoint is of a form that only the exporter understands.
func reach(ctx context.Context, endpoint string) error {
	if !strings.Contains(endpoint, "://") {
		endpoint = "http://" + endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Hostname() == "" {
		return nil //nolint:nilerr // The exporter will say what is wrong with it.
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return fmt.Errorf("no collector at %s: %w", endpoint, err)
	}
	return conn.Close()
}
