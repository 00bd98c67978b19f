// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// chat is the message of the benchmarks.
type chat struct {
	Channel string `json:"channel"`
	Author  int    `json:"author"`
	Text    string `json:"text"`
}

var hello = chat{"general", 42, "hello, everybody: the meeting begins at nine"}

// window is how many messages may be on their way at the same time. It is below what NATS lets
// wait, so that none is lost.
const window = 8192

// transfer is one way of sending messages to another machine.
type transfer struct {
	send func() error
	got  *atomic.Uint64
	sent uint64
}

// send sends n messages, and waits until they have come.
func (f *transfer) run(b *testing.B, n int) {
	b.Helper()
	for range n {
		if f.sent++; f.sent%64 == 0 {
			f.wait(window)
		}
		if err := f.send(); err != nil {
			b.Fatal(err)
		}
	}
	f.wait(0)
}

// wait waits until no more than some messages are on their way.
func (f *transfer) wait(most uint64) {
	for f.sent-f.got.Load() > most {
		time.Sleep(50 * time.Microsecond)
	}
}

// newPlain sends as a program does that has only NATS.
func newPlain(b *testing.B, server *natstest.Server) *transfer {
	b.Helper()
	here, there := server.Conn(b), server.Conn(b)
	f := &transfer{got: new(atomic.Uint64)}
	_, err := there.Subscribe("plain", func(m *nats.Msg) {
		var c chat
		if err := json.Unmarshal(m.Data, &c); err == nil && c == hello {
			f.got.Add(1)
		}
	})
	require.NoError(b, err)
	require.NoError(b, there.Flush())
	f.send = func() error {
		data, err := json.Marshal(hello)
		if err != nil {
			return err
		}
		return here.Publish("plain", data)
	}
	return f
}

// newOurs sends from one process to another one.
func newOurs(b *testing.B, server *natstest.Server, opts ...mailbox.KindOption) *transfer {
	b.Helper()
	here, there := newMachine(b, server), newMachine(b, server)
	f := &transfer{got: new(atomic.Uint64)}
	serve(b, there, "ours", remote.Protocol[chat]{}, func(_ context.Context, c chat) error {
		if c == hello {
			f.got.Add(1)
		}
		return nil
	})
	ref := refTo(b, here, "ours", remote.Protocol[chat]{}, opts...)
	ctx := context.Background()
	f.send = func() error { return ref.Send(ctx, hello) }
	return f
}

func BenchmarkPlainNATS(b *testing.B) {
	f := newPlain(b, natstest.Start(b, natstest.Options{}))
	b.ReportAllocs()
	b.ResetTimer()
	f.run(b, b.N)
}

func BenchmarkSend(b *testing.B) {
	f := newOurs(b, natstest.Start(b, natstest.Options{}))
	b.ReportAllocs()
	b.ResetTimer()
	f.run(b, b.N)
}

// BenchmarkSendBesidePlain takes turns, so that what the machine does meanwhile is the same for
// both, and reports how many times as long ours takes.
func BenchmarkSendBesidePlain(b *testing.B) {
	server := natstest.Start(b, natstest.Options{})
	plain, ours := newPlain(b, server), newOurs(b, server)
	const chunk = 20_000
	var took [2]time.Duration
	b.ResetTimer()
	for range max(b.N/chunk, 1) {
		for i, f := range []*transfer{plain, ours} {
			begun := time.Now()
			f.run(b, chunk)
			took[i] += time.Since(begun)
		}
	}
	b.ReportMetric(float64(took[1])/float64(took[0]), "x-plain")
	b.ReportMetric(float64(took[0].Nanoseconds())/float64(chunk*max(b.N/chunk, 1)), "ns-plain")
}
