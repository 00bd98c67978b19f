// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/fanout"
)

func BenchmarkFanout(b *testing.B) {
	b.Run("add", func(b *testing.B) {
		state := parse(b, "a=1,z=2")
		var next trace.TraceState
		b.ReportAllocs()
		for b.Loop() {
			next = someFanout.AddTo(state)
		}
		require.Equal(b, someFanout, fanout.FromTraceState(next))
	})
	b.Run("add_erasing", func(b *testing.B) {
		state := parse(b, "a=1,ot=th:8;rv:6e6d1a75832a2f,z=2")
		var next trace.TraceState
		b.ReportAllocs()
		for b.Loop() {
			next = someFanout.AddTo(state)
		}
		require.Equal(b, "rv:6e6d1a75832a2f", next.Get("ot"))
	})
	b.Run("from", func(b *testing.B) {
		state := someFanout.AddTo(parse(b, "a=1,z=2"))
		var f fanout.Fanout
		b.ReportAllocs()
		for b.Loop() {
			f = fanout.FromTraceState(state)
		}
		require.Equal(b, someFanout, f)
	})
	b.Run("from_absent", func(b *testing.B) {
		state := parse(b, "a=1,z=2")
		var f fanout.Fanout
		b.ReportAllocs()
		for b.Loop() {
			f = fanout.FromTraceState(state)
		}
		require.Equal(b, fanout.Fanout{}, f)
	})
}
