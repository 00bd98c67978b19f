// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"github.com/waybill-go/waybill/cmd/waybill-viewer/internal/listen"
)

// Limits of the servers of HTTP.
const (
	maxHeaders    = 16 << 10 // bytes
	headerTimeout = 5 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = 2 * time.Minute

	// grace is for how long requests may go on when the program ends.
	grace = 3 * time.Second
)

// addresses are what a viewer listens on.
type addresses struct{ page, grpc, http listen.Address }

// openAll opens all addresses or none.
func openAll(ctx context.Context, o *viewOptions) (open addresses, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, open.close())
		}
	}()
	for _, each := range []struct {
		flag, address string
		to            *listen.Address
	}{{"-grpc", o.grpc, &open.grpc}, {"-http", o.http, &open.http}, {"-addr", o.page, &open.page}} {
		if each.address == "" {
			continue
		}
		*each.to, err = listen.Open(ctx, each.address)
		if each.flag == "-addr" && !o.pageGiven && errors.Is(err, syscall.EADDRINUSE) {
			*each.to, err = listen.Open(ctx, freePage)
		}
		if errors.Is(err, syscall.EADDRINUSE) {
			return open, fmt.Errorf("another program listens on %s; choose another address with %s", each.address, each.flag)
		}
		if err != nil {
			return open, fmt.Errorf("%s: %w", each.flag, err)
		}
	}
	return open, nil
}

func (a addresses) all() []listen.Address { return []listen.Address{a.page, a.grpc, a.http} }

// exposed returns the addresses that other machines can reach.
func (a addresses) exposed() []string {
	var all []string
	for _, each := range a.all() {
		if each.Exposed() {
			all = append(all, each.String())
		}
	}
	return all
}

func (a addresses) close() error {
	var all error
	for _, each := range a.all() {
		all = errors.Join(all, each.Close())
	}
	return all
}

// serve serves everything until ctx ends or a server fails. It reads the files meanwhile.
func (v *viewer) serve(ctx context.Context, open addresses) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	page := &http.Server{
		Handler:           v.console, // Its streams to pages outlive the time-out.
		ReadHeaderTimeout: headerTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaders,
	}
	otlp := &http.Server{
		Handler:           v.receiver.HTTP(),
		ReadHeaderTimeout: headerTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaders,
	}
	grpcServer := v.receiver.GRPC()
	var serving sync.WaitGroup
	start := func(address listen.Address, serve func(net.Listener) error) {
		for _, listener := range address.Listeners() {
			serving.Go(func() {
				if err := serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
					cancel(fmt.Errorf("%s: %w", address, err))
				}
			})
		}
	}
	start(open.page, page.Serve)
	start(open.http, otlp.Serve)
	start(open.grpc, grpcServer.Serve)

	err := v.loadFiles(ctx)
	if err == nil {
		<-ctx.Done()
	}
	shutDown(page, otlp, grpcServer)
	serving.Wait()
	if failed := context.Cause(ctx); err == nil && failed != nil && !errors.Is(failed, context.Canceled) {
		err = failed
	}
	if err == nil && (v.options.grpc != "" || v.options.http != "") {
		v.summary()
	}
	return err
}

// loadFiles reads the files of the command line. If ctx ends meanwhile, that is no error.
func (v *viewer) loadFiles(ctx context.Context) error {
	if len(v.options.files) == 0 {
		return nil
	}
	err := load(ctx, v.options.files, v.streams, v.take)
	switch {
	case ctx.Err() != nil:
		return nil //nolint:nilerr // Reading was cut off.
	case err != nil:
		return err
	}
	v.println("Read " + strings.Join(v.options.files, ", ") + ".")
	return nil
}

// shutDown ends the servers. Requests have a short time to end, and are then cut off.
func shutDown(page, otlp *http.Server, grpcServer *grpc.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	var ending sync.WaitGroup
	for _, server := range []*http.Server{page, otlp} {
		ending.Go(func() {
			if server.Shutdown(ctx) != nil {
				_ = server.Close() // It closes its connections, and what is left to say of them helps nobody.
			}
		})
	}
	ending.Go(func() {
		stop := context.AfterFunc(ctx, grpcServer.Stop)
		defer stop()
		grpcServer.GracefulStop()
	})
	ending.Wait()
}
