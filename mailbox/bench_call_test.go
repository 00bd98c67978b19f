// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// question is a message that wants an answer: the number after n.
type question struct {
	n     int
	reply mailbox.Reply[int]
}

// rawQuestion is the same with a channel.
type rawQuestion struct {
	n     int
	reply chan int
}

func BenchmarkCall(b *testing.B) {
	for _, s := range settings() {
		b.Run(s.name+"/waybill", func(b *testing.B) {
			s.spans.ended.Store(0)
			benchmarkCall(b, s.ctx, s.system())
			s.requireSpans(b, 2*b.N)
		})
		b.Run(s.name+"/raw", func(b *testing.B) {
			s.spans.ended.Store(0)
			tracer := s.provider.Tracer("raw")
			box, done := make(chan wrapped[rawQuestion], 1024), make(chan struct{})
			go func() {
				defer close(done)
				for w := range box {
					rawHandle(tracer, w, func(_ context.Context, q rawQuestion) { q.reply <- q.n + 1 })
				}
			}()
			b.ReportAllocs()
			for i := range b.N {
				ctx, end := s.ctx, func() {}
				if s.sampled {
					next, span := tracer.Start(s.ctx, "call worker int")
					ctx, end = next, func() { span.End() }
				}
				reply := make(chan int, 1)
				box <- wrapped[rawQuestion]{ctx, rawQuestion{i, reply}}
				if n := <-reply; n != i+1 {
					b.Fatal("wrong answer")
				}
				end()
			}
			close(box)
			<-done
			b.StopTimer()
			s.requireSpans(b, 2*b.N)
		})
	}
	b.Run("deadline/waybill", func(b *testing.B) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		benchmarkCall(b, ctx, mailbox.NewSystem())
	})
	b.Run("deadline/raw", func(b *testing.B) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		box, done := make(chan rawQuestion, 1024), make(chan struct{})
		go func() {
			defer close(done)
			for q := range box {
				q.reply <- q.n + 1
			}
		}()
		b.ReportAllocs()
		for i := range b.N {
			q := rawQuestion{i, make(chan int, 1)}
			select {
			case box <- q:
			case <-ctx.Done():
				b.Fatal(ctx.Err())
			}
			select {
			case n := <-q.reply:
				if n != i+1 {
					b.Fatal("wrong answer")
				}
			case <-ctx.Done():
				b.Fatal(ctx.Err())
			}
		}
		close(box)
		<-done
	})
}

func benchmarkCall(b *testing.B, ctx context.Context, sys *mailbox.System) {
	b.Helper()
	ref := spawn(b, sys, "worker", func(_ context.Context, q question) error {
		q.reply.Answer(q.n + 1)
		return nil
	})
	b.ReportAllocs()
	for i := range b.N {
		n, err := mailbox.Call(ctx, ref, func(r mailbox.Reply[int]) question { return question{i, r} })
		if err != nil || n != i+1 {
			b.Fatal(n, err)
		}
	}
	b.StopTimer()
	drain(b, sys)
	require.EqualValues(b, b.N, sys.Stats().Handled)
}
