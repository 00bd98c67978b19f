// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package estimate_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/estimate"
)

// event is what sessions get.
type event struct{}

// program runs processes of package mailbox, and keeps their spans. It is to be used in
// a synctest bubble.
type program struct {
	t        *testing.T
	exporter *tracetest.InMemoryExporter
	provider *sdktrace.TracerProvider
	sys      *mailbox.System
	kinds    map[string]*mailbox.Kind[event]
}

func newProgram(t *testing.T, late sampling.Late, opts ...mailbox.SystemOption) *program {
	t.Helper()
	p := &program{t: t, exporter: tracetest.NewInMemoryExporter(), kinds: map[string]*mailbox.Kind[event]{}}
	p.provider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(p.exporter))
	settings := sampling.Config{}
	settings.Default.Late = late
	control, err := sampling.NewControl(settings)
	require.NoError(t, err)
	p.sys = mailbox.NewSystem(append(opts, mailbox.WithTracerProvider(p.provider), mailbox.WithControl(control))...)
	return p
}

// spawn starts a process of that kind.
func (p *program) spawn(kind string, handle func(context.Context, event) error) mailbox.Ref[event] {
	p.t.Helper()
	k, ok := p.kinds[kind]
	if !ok {
		var err error
		k, err = mailbox.NewKind[event](p.sys, kind)
		require.NoError(p.t, err)
		p.kinds[kind] = k
	}
	ref, err := k.Spawn("", handle)
	require.NoError(p.t, err)
	return ref
}

// newGroup makes a group without members.
func (p *program) newGroup(name string, opts ...mailbox.GroupOption) *mailbox.Group[event] {
	p.t.Helper()
	g, err := mailbox.NewGroup[event](p.sys, name, opts...)
	require.NoError(p.t, err)
	return g
}

// group starts so many processes of a kind, which handle events by that, and makes a
// group of them.
func (p *program) group(
	kind string, n int, handle func(ctx context.Context, member int) error, opts ...mailbox.GroupOption,
) *mailbox.Group[event] {
	p.t.Helper()
	g := p.newGroup(kind+"s", opts...)
	for i := range n {
		require.NoError(p.t, g.Join(p.spawn(kind, func(ctx context.Context, _ event) error { return handle(ctx, i) })))
	}
	return g
}

// trace calls do in a trace of its own.
func (p *program) trace(do func(ctx context.Context)) {
	ctx, root := p.provider.Tracer("test").Start(p.t.Context(), "root", trace.WithNewRoot())
	do(ctx)
	root.End()
	synctest.Wait()
}

// spans ends the program and returns all spans.
func (p *program) spans() []sdktrace.ReadOnlySpan {
	p.t.Helper()
	require.NoError(p.t, p.sys.Shutdown(context.Background()))
	return p.exporter.GetSpans().Snapshots()
}

// estimates ends the program and adds all spans.
func (p *program) estimates() *estimate.Spans {
	p.t.Helper()
	s := &estimate.Spans{}
	for _, span := range p.spans() {
		s.Add(span)
	}
	return s
}

// handling takes a millisecond of the bubble's time.
func handling(context.Context, int) error {
	time.Sleep(time.Millisecond)
	return nil
}

// exactly has a value and nothing else in its interval.
func exactly(t *testing.T, want float64, e estimate.Estimate) {
	t.Helper()
	require.InEpsilon(t, want, e.Value, 1e-9, "%+v", e)
	require.Less(t, e.StdErr, 1e-6*want, "%+v", e)
	require.InEpsilon(t, want, e.Low, 1e-6, "%+v", e)
	require.InEpsilon(t, want, e.High, 1e-6, "%+v", e)
}
