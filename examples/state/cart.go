// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/waybill-go/waybill/mailbox"
)

// CartMsg is a message to a cart.
type CartMsg any

// Add puts an item into the cart.
type Add struct{ Item string }

// List asks what is in the cart.
type List struct{ Reply mailbox.Reply[[]string] }

// cart is the state of one cart. Nobody else touches it, so it has no lock.
type cart struct {
	file  string
	items []string
}

// carts makes carts and keeps their state in files in dir, one file for each cart. A
// file is named after a user, and os.Root makes sure that no name leads out of dir.
type carts struct{ dir *os.Root }

// load is a mailbox.Factory. It makes the state of a cart, from its file if there is
// one.
func (c carts) load(_ context.Context, self mailbox.Ref[CartMsg]) (mailbox.Instance[CartMsg], error) {
	state := &cart{file: self.ID() + ".json"}
	data, err := c.dir.ReadFile(state.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return mailbox.Instance[CartMsg]{}, err
	default:
		if err := json.Unmarshal(data, &state.items); err != nil {
			return mailbox.Instance[CartMsg]{}, fmt.Errorf("%s: %w", filepath.Base(state.file), err)
		}
	}
	return mailbox.Instance[CartMsg]{
		Handle: state.handle,
		Save:   func(context.Context) error { return c.save(state) },
	}, nil
}

// save replaces the file in one step, so whoever reads it finds the old cart or the new
// one.
func (c carts) save(state *cart) error {
	data, err := json.Marshal(state.items)
	if err != nil {
		return err
	}
	if err := c.dir.WriteFile(state.file+".new", data, 0o600); err != nil {
		return err
	}
	return c.dir.Rename(state.file+".new", state.file)
}

func (s *cart) handle(_ context.Context, message CartMsg) error {
	switch m := message.(type) {
	case Add:
		if m.Item == "" {
			panic("an item without a name") // This is a bug of the sender. The process restarts.
		}
		s.items = append(s.items, m.Item)
	case List:
		m.Reply.Answer(append([]string(nil), s.items...)) // A copy, because the state must stay in the process.
	default:
		return fmt.Errorf("a cart does not know %T", message)
	}
	return nil
}
