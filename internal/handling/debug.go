// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package handling

import (
	"bytes"
	"context"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"
)

// debugging is set once anything is in debug mode.
var debugging atomic.Bool

// Site is where a loop, a handler or a kind of processes was made that is in debug mode.
type Site struct {
	what, place string
	outer       trace.SpanContext
}

// NewSite returns the site that the caller of our packages is at, and turns debug mode on. A
// handler that uses a context with the span of outer instead of its own makes a mistake.
func NewSite(outer context.Context, what string) *Site {
	debugging.Store(true)
	return &Site{what: what, place: place(), outer: trace.SpanContextFromContext(outer)}
}

// Begin begins the handling of a traced message in ctx, on this goroutine. The span may be nil,
// and so may room, which is that of ctx. Without debug mode s is nil, and so is the result.
func (s *Site) Begin(ctx context.Context, span trace.Span, room *Room) (context.Context, *Running) {
	if s == nil {
		return room.With(ctx, span), nil
	}
	r := &Running{site: s, goroutine: goroutine()}
	if above, ok := innermost.Load(r.goroutine); ok {
		r.above, _ = above.(*Running)
	}
	innermost.Store(r.goroutine, r)
	running.Add(1)
	return &handling{ctx, what{span, r}}, r
}

// ProviderChanged reports that spans of s went to a provider that was replaced later.
func (s *Site) ProviderChanged() {
	report(s.place, "a tracer provider was set after traced messages had been handled here (%s), "+
		"so their spans went to the provider before it", s.what)
}

// Running is a handling in debug mode.
type Running struct {
	site      *Site
	goroutine uint64
	above     *Running // The handling of another message that this one is inside of.
	ended     atomic.Bool
}

// innermost has the innermost handling of each goroutine, by its number.
var innermost sync.Map // of uint64 to *Running

// running is how many handlings there are in debug mode.
var running atomic.Int64

// End ends the handling, on the goroutine that has begun it.
func (r *Running) End() {
	if r == nil {
		return
	}
	r.ended.Store(true)
	running.Add(-1)
	if r.above == nil {
		innermost.Delete(r.goroutine)
	} else {
		innermost.Store(r.goroutine, r.above)
	}
}

// Check looks for mistakes if debug mode is on. Whatever takes something from a context calls
// it with that context.
func Check(ctx context.Context) {
	if debugging.Load() {
		check(ctx)
	}
}

func check(ctx context.Context) {
	if ctx == nil {
		ctx = context.Background()
	}
	var own *Running
	if h := of(ctx); h != nil {
		own = h.running
	}
	if own != nil && own.ended.Load() {
		report(place(), "a message is sent with the context of a handling that has ended (%s at %s)",
			own.site.what, own.site.place)
		return
	}
	if running.Load() == 0 {
		return
	}
	value, ok := innermost.Load(goroutine())
	if !ok {
		return
	}
	r := value.(*Running) //nolint:forcetypeassert // The map holds nothing else.
	// A context that has left the trace on purpose has another span than the one outside.
	if own != r && trace.SpanContextFromContext(ctx).Equal(r.site.outer) {
		report(place(), "a message is sent with a context from outside while a traced message is handled (%s at %s), "+
			"so that trace ends here", r.site.what, r.site.place)
	}
}

// goroutine returns the number of this goroutine. It takes about a microsecond.
func goroutine() uint64 {
	var buffer [64]byte
	fields := bytes.Fields(buffer[:runtime.Stack(buffer[:], false)]) // goroutine 7 [running]:
	if len(fields) < 2 {                                             //nolint:mnd // As it says.
		return 0
	}
	n, _ := strconv.ParseUint(string(fields[1]), 10, 64)
	return n
}
