// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command boundary runs two HTTP services: an edge that strangers reach, and an inner
// service that only the edge calls. It sends hostile headers to the edge, and prints
// what arrives at the inner service.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/internal/traces"
	"github.com/waybill-go/waybill/propagate"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "boundary:", err)
		os.Exit(1)
	}
}

// headers are those that carry a trace and its baggage.
var headers = []string{"traceparent", "tracestate", "baggage"}

// hostile are requests of strangers.
var hostile = []struct {
	what string
	sent map[string]string
}{
	{"A stranger claims a trace, a span that stands for a million others, and a role.", map[string]string{
		"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"tracestate":  "waybill=w:1000000;p:0.000001;n:1000000;d:1",
		"baggage":     "tenant=acme,role=admin",
	}},
	{"A stranger forbids to record the request.", map[string]string{
		"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
	}},
	{"A stranger sends headers that are malformed.", map[string]string{
		"traceparent": "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-ff",
		"baggage":     "tenant",
	}},
}

// answer is what arrived at the inner service.
type answer map[string]string

func run(ctx context.Context, out io.Writer) error {
	recorder := record.New(traces.Config{})
	edgeSpans, innerSpans := newProvider("edge", recorder), newProvider("inner", recorder)

	inner, innerURL, err := serve(ctx, newInner(innerSpans))
	if err != nil {
		return err
	}
	defer inner.Close() //nolint:errcheck // It is shut down below, unless something fails.
	var counters propagate.Counters
	edge, edgeURL, err := serve(ctx, newEdge(innerURL+"/headers", newClient(edgeSpans), edgeSpans, &counters))
	if err != nil {
		return err
	}
	defer edge.Close() //nolint:errcheck // It is shut down below, unless something fails.

	answers := make([]answer, len(hostile))
	for i, request := range hostile {
		if answers[i], err = ask(ctx, edgeURL+"/hello", request.sent); err != nil {
			return err
		}
	}
	// All spans have ended when the services have.
	if err := errors.Join(edge.Shutdown(ctx), inner.Shutdown(ctx)); err != nil {
		return err
	}
	for i, request := range hostile {
		fmt.Fprintln(out, request.what)
		if err := compare(out, request.sent, answers[i]); err != nil {
			return err
		}
		if err := showTrace(out, recorder, answers[i]); err != nil {
			return err
		}
	}
	c := counters.Counts()
	fmt.Fprintf(out, "The boundary counted:\n  callers linked: %d\n  headers refused: %d\n  members dropped: %d\n",
		c.Linked, c.Refused, c.Dropped)
	return errors.Join(edgeSpans.Shutdown(ctx), innerSpans.Shutdown(ctx))
}

func newProvider(service string, recorder *record.Recorder) *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName(service))),
		sdktrace.WithSpanProcessor(recorder),
	)
}

// ask sends a request with those headers, and returns the answer.
func ask(ctx context.Context, url string, sent map[string]string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	for header, value := range sent {
		request.Header.Set(header, value)
	}
	client := http.Client{Timeout: timeout, Transport: newTransport()}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // It is read below.
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	var got answer
	err = json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&got)
	return got, err
}
