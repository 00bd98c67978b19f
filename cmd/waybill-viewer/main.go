// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command waybill-viewer shows traces of any services that export them over OTLP, and traces
// from files. See the README beside it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/waybill-go/waybill/cmd/waybill-viewer/internal/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // A second signal ends the program at once.
	os.Exit(app.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
