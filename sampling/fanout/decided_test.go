// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/envelopetest"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/fanout"
)

// TestSkippedRecipientsStartNoTrace has receivers that may start traces.
func TestSkippedRecipientsStartNoTrace(t *testing.T) {
	for name, test := range map[string]struct {
		ctx    func(p *program) context.Context
		config sampling.Config
		opts   []fanout.Option
		roots  int
	}{
		"skipped":       {ctx: func(p *program) context.Context { return p.ctx }},
		"broken tracer": {ctx: func(p *program) context.Context { return p.ctx }, opts: []fanout.Option{fanout.WithTracerProvider(broken{})}},
		"unsampled":     {ctx: func(*program) context.Context { return envelopetest.UnsampledContext(t) }},
		"no traces carried": {
			ctx:    func(p *program) context.Context { return p.ctx },
			config: sampling.Config{Kinds: map[string]sampling.KindConfig{"chat": {Untraced: true}}},
		},
		"nobody decided": {ctx: func(*program) context.Context { return t.Context() }, roots: 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			control, err := sampling.NewControl(test.config)
			require.NoError(t, err)
			f, err := fanout.New("chat", append([]fanout.Option{
				fanout.WithTracerProvider(p.provider), fanout.WithControl(control),
				fanout.WithSampling(sampling.GroupConfig{MaxSpans: 1}),
			}, test.opts...)...)
			require.NoError(t, err)
			ended := len(p.recorder.Ended())
			handle := envelope.Handler(context.Background(), "show", func(context.Context, string) error { return nil },
				envelope.WithTracerProvider(p.provider), envelope.WithRootSpans())
			b := f.Begin(test.ctx(p), 1000)
			for n := 0; n < 2; {
				if h := b.Next(); !h.Sampled() {
					require.NoError(t, handle(envelope.New("hello", h)))
					n++
				}
			}
			shown := 0
			for _, s := range p.recorder.Ended()[ended:] {
				if s.Name() == "show" {
					shown++
				}
			}
			assert.Equal(t, test.roots, shown)
			b.End()
		})
	}
}
