// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command state shows processes with state: shopping carts that are found by their
// users' IDs. A cart restarts after a panic, is saved and put to sleep while it is
// idle, and is saved before it stops.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/waybill-go/waybill/mailbox"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "state:", err)
		os.Exit(1)
	}
}

// shared lets several goroutines write to one place: the logger has one of its own.
type shared struct {
	mu sync.Mutex
	to io.Writer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.to.Write(p)
}

func run(ctx context.Context, to io.Writer) (err error) {
	out := &shared{to: to}
	name, err := os.MkdirTemp("", "carts")
	if err != nil {
		return err
	}
	defer os.RemoveAll(name) //nolint:errcheck // It is a temporary directory.
	dir, err := os.OpenRoot(name)
	if err != nil {
		return err
	}
	defer dir.Close() //nolint:errcheck // Nothing is written to it.

	shop, err := newShop(dir, slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: brief})))
	if err != nil {
		return err
	}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"Ada adds two things", shop.adds("ada", "a lamp", "a chair")},
		{"her cart goes to sleep", shop.sleeps("ada")},
		{"and wakes up with her next message", shop.adds("ada", "a table")},
		{"a faulty message makes the cart start afresh, as it was last saved", shop.adds("ada", "")},
		{"Bob has a cart of his own", shop.adds("bob", "a book")},
	} {
		fmt.Fprintln(out, step.what)
		if err := step.do(ctx); err != nil {
			return err
		}
		if err := shop.show(ctx, out); err != nil {
			return err
		}
	}
	if err := shop.sys.Shutdown(ctx); err != nil {
		return err
	}
	files, err := os.ReadDir(name)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "after the shutdown there are", len(files), "files")
	return nil
}

// brief removes the attributes of a record that differ from run to run.
func brief(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == "stack" {
		return slog.Attr{}
	}
	return a
}

// shop is a system with carts.
type shop struct {
	sys   *mailbox.System
	carts *mailbox.Kind[CartMsg]
	load  mailbox.Factory[CartMsg]
}

func newShop(dir *os.Root, logger *slog.Logger) (*shop, error) {
	sys := mailbox.NewSystem(mailbox.WithLogger(logger))
	kind, err := mailbox.NewKind[CartMsg](sys, "cart",
		mailbox.WithPanicPolicy(mailbox.Restart),
		mailbox.WithRestartPolicy(mailbox.RestartPolicy{MinBackoff: time.Millisecond}),
		mailbox.WithPassivation(10*time.Minute))
	if err != nil {
		return nil, err
	}
	return &shop{sys: sys, carts: kind, load: carts{dir}.load}, nil
}

func (s *shop) adds(user string, items ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		cart, err := s.carts.GetOrSpawn(user, s.load)
		if err != nil {
			return err
		}
		for _, item := range items {
			if err := cart.Send(ctx, Add{item}); err != nil {
				return err
			}
		}
		return nil
	}
}

// sleeps saves the user's cart and puts it to sleep now. After ten minutes that would
// happen by itself.
func (s *shop) sleeps(user string) func(context.Context) error {
	return func(context.Context) error {
		cart, ok := s.carts.Lookup(user)
		if !ok {
			return nil
		}
		return <-cart.Passivate()
	}
}

// show prints what is in the carts.
func (s *shop) show(ctx context.Context, out io.Writer) error {
	for _, user := range []string{"ada", "bob"} {
		cart, ok := s.carts.Lookup(user)
		if !ok {
			continue
		}
		items, err := mailbox.Call(ctx, cart, func(r mailbox.Reply[[]string]) CartMsg { return List{r} })
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %s: %s\n", user, strings.Join(items, ", "))
	}
	return nil
}
