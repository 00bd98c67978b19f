// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command guild is a small chat whose posts can be followed from the HTTP
// request to every session. See the README beside it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/waybill-go/waybill/examples/guild/internal/app"
	"github.com/waybill-go/waybill/examples/guild/internal/nodes"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == nodes.Command { // A guild node has started it.
		os.Exit(nodes.Main(os.Stdin, os.Stdout, os.Stderr))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // A second signal ends the program at once.
	os.Exit(app.Main(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
