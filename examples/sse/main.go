// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command sse runs a broker of server-sent events. Our services publish news by POST, and
// strangers subscribe to them by GET. The program prints the trace of one piece of news. See
// the README beside it.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/examples/internal/report"
	"github.com/waybill-go/waybill/internal/traces"
	"github.com/waybill-go/waybill/propagate"
	"github.com/waybill-go/waybill/sampling/fanout"
)

func main() {
	subscribers := flag.Int("subscribers", 100, fmt.Sprintf("how many subscribers there are, at most %d", maxSubscribers))
	count := flag.Int("news", 3, "how many news are published")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *subscribers, *count); err != nil {
		fmt.Fprintln(os.Stderr, "sse:", err)
		os.Exit(1)
	}
}

var errFlags = fmt.Errorf("-subscribers must be from 1 to %d, and -news at least 1", maxSubscribers)

func run(ctx context.Context, out io.Writer, subscribers, count int) error {
	if subscribers < 1 || subscribers > maxSubscribers || count < 1 {
		return errFlags
	}
	recorder := record.New(traces.Config{})
	otel.SetTracerProvider(newProvider("broker", recorder))
	fan, err := fanout.New("news")
	if err != nil {
		return err
	}
	s := &site{broker: &broker{fanout: fan}}
	if err := s.open(ctx); err != nil {
		return err
	}
	err = s.talk(ctx, newProvider("newsroom", recorder), subscribers, count)
	if err := errors.Join(err, s.close(ctx)); err != nil {
		return err
	}
	if err := report.WriteLast(out, recorder); err != nil {
		return err
	}
	stats := fan.Stats()
	fmt.Fprintf(out, "broker: %d news were delivered, %d refused\n", stats.Delivered, stats.Refused)
	return nil
}

func newProvider(service string, recorder *record.Recorder) *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName(service))),
		sdktrace.WithSpanProcessor(recorder),
	)
}

// site is a broker with its two listeners, on free ports of this machine.
type site struct {
	broker                      *broker
	subscriptions, publications *http.Server
	events, news                string // URLs
	serving                     sync.WaitGroup
}

func (s *site) open(ctx context.Context) error {
	public, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	inner, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, public.Close())
	}
	s.subscriptions, s.publications = newServer(newSubscriptions(s.broker)), newServer(newPublications(s.broker))
	s.events = "http://" + public.Addr().String() + "/events"
	s.news = "http://" + inner.Addr().String() + "/news"
	s.serving.Go(func() { serve(s.subscriptions, public) })
	s.serving.Go(func() { serve(s.publications, inner) })
	return nil
}

// close ends the subscriptions and the servers, in an order in which nothing is lost.
func (s *site) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTime+time.Second)
	defer cancel()
	err := s.publications.Shutdown(ctx)
	s.broker.close()
	err = errors.Join(err, s.subscriptions.Shutdown(ctx))
	s.serving.Wait()
	return err
}

// talk lets subscribers come, and publishes news in traces of a newsroom. It publishes each
// when all have got the one before.
func (s *site) talk(ctx context.Context, newsroom *sdktrace.TracerProvider, subscribers, count int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	transport := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{Transport: otelhttp.NewTransport(transport, otelhttp.WithTracerProvider(newsroom),
		otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator(propagate.TraceContext{}, propagate.Baggage{})))}
	heard := make(chan string)
	var listening sync.WaitGroup
	defer listening.Wait()
	defer cancel(nil)
	for range subscribers {
		listening.Go(func() {
			if err := listen(ctx, transport, s.events, heard); err != nil {
				cancel(err)
			}
		})
	}
	if err := await(ctx, heard, "welcome", subscribers); err != nil {
		return err
	}
	tracer := newsroom.Tracer("newsroom")
	for i := range count {
		ctx, span := tracer.Start(ctx, "publish")
		err := post(ctx, client, s.news, fmt.Sprintf("news %d", i+1))
		span.End()
		if err != nil {
			return err
		}
		if err := await(ctx, heard, "news", subscribers); err != nil {
			return err
		}
	}
	return nil
}

func post(ctx context.Context, client *http.Client, url, text string) error {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(text))
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // Nothing is read from it.
	if response.StatusCode != http.StatusAccepted {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}

// listen subscribes, and tells what it hears: the comments, and the names of the events. It
// returns when the broker says that the stream ends.
func listen(ctx context.Context, transport http.RoundTripper, url string, heard chan<- string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // All that matters has been read.
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		what, found := strings.CutPrefix(lines.Text(), "event: ")
		if !found {
			what, found = strings.CutPrefix(lines.Text(), ": ")
		}
		if what == "end" {
			return nil
		}
		if !found {
			continue
		}
		select {
		case heard <- what:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(lines.Err(), io.ErrUnexpectedEOF)
}

// await waits until n subscribers have heard what.
func await(ctx context.Context, heard <-chan string, what string, n int) error {
	for n > 0 {
		select {
		case h := <-heard:
			if h == what {
				n--
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
