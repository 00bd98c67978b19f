// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement

import "context"

// identity is what a handler's context says of the placed process.
type identity struct {
	kind, id string
	token    uint64
	held     func() bool // whether the process may act
	kill     func()      // because another node owns it
}

type identityKey struct{}

// placedContext is a handler's context with the identity of its process.
type placedContext struct {
	context.Context //nolint:containedctx // It is a context.

	of *identity
}

// Value implements context.Context.
func (c *placedContext) Value(key any) any {
	if key == (identityKey{}) {
		return c.of
	}
	return c.Context.Value(key)
}

// AfterFunc is for contexts derived from this one: without it, each would have a goroutine.
func (c *placedContext) AfterFunc(f func()) (stop func() bool) {
	if parent, ok := c.Context.(interface{ AfterFunc(f func()) func() bool }); ok {
		return parent.AfterFunc(f)
	}
	return context.AfterFunc(c.Context, f)
}

func identityOf(ctx context.Context) *identity {
	if ctx == nil {
		return nil
	}
	of, _ := ctx.Value(identityKey{}).(*identity)
	return of
}

// Token returns the fencing token of the placed process whose handler, Factory, Save or Close
// was given ctx. Each later owner of the process has a larger one. A store that refuses what
// comes with a smaller token than it has seen is safe from an owner that was stopped, lost its
// process meanwhile, and goes on: see [State] for one. Token reports false for any other
// context.
func Token(ctx context.Context) (token uint64, ok bool) {
	of := identityOf(ctx)
	if of == nil {
		return 0, false
	}
	return of.token, true
}
