// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/mailbox/console"
)

func Example() {
	con := console.New(console.Config{Title: "orders"})
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(con))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(con.MetricReader()))
	defer func() { _ = meters.Shutdown(context.Background()) }()
	defer func() { _ = tracers.Shutdown(context.Background()) }()

	operators := http.NewServeMux()
	operators.Handle("/debug/waybill/", http.StripPrefix("/debug/waybill", con))

	_, span := tracers.Tracer("example").Start(context.Background(), "GET /orders")
	span.End()

	// A browser shows http://localhost:6060/debug/waybill/, and a program may ask too.
	answer := httptest.NewRecorder()
	operators.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/debug/waybill/api/traces?limit=10", nil))
	var list struct {
		Traces []struct {
			Name  string `json:"name"`
			Spans int    `json:"spans"`
		} `json:"traces"`
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &list); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%+v\n", list.Traces)
	// Output: [{Name:GET /orders Spans:1}]
}
