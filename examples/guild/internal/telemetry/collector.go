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
)

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
