// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package owner names the process that a handler's context belongs to, for packages that
// know nothing of mailboxes.
package owner

import "context"

// Key is the key under which the context of a process's handler holds the process.
type Key struct{}

// Named is a process.
type Named interface {
	// Named returns the kind and the ID of the process, which never change.
	Named() (kind, id string)
}

// Of returns the kind and the ID of the process whose handler was given ctx, or a context
// that ctx was derived from. It reports false outside of handlers.
func Of(ctx context.Context) (kind, id string, ok bool) {
	if ctx == nil {
		return "", "", false
	}
	process, ok := ctx.Value(Key{}).(Named)
	if !ok {
		return "", "", false
	}
	kind, id = process.Named()
	return kind, id, true
}
