// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// slowCodec reads when it may.
type slowCodec struct {
	wire.Codec[string]

	reading chan struct{}
	may     chan struct{}
}

func (c slowCodec) Decode(data []byte) (string, error) {
	c.reading <- struct{}{}
	<-c.may
	return c.Codec.Decode(data)
}

// Answers that come while too many wait are counted, and their callers time out.
func TestLostAnswers(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	const calls = 20
	here := newMachine(t, server, remote.WithLimits(remote.Limits{MaxPending: 2, CallTimeout: 3 * time.Second}))
	there := newMachine(t, server)
	codec := slowCodec{wire.JSONCodec[string](), make(chan struct{}, calls), make(chan struct{})}
	slow := remote.Protocol[ask]{Calls: []remote.CallType[ask]{
		remote.Answered[ask](func(a *ask) *mailbox.Reply[string] { return &a.reply }, codec),
	}}
	begun, leave := make(chan struct{}, calls), make(chan struct{})
	serve(t, there, "asks", asks(), func(_ context.Context, a ask) error {
		go func() {
			begun <- struct{}{}
			<-leave
			a.reply.Answer("answer")
		}()
		return nil
	})
	ref := refTo(t, here, "asks", slow)
	var done sync.WaitGroup
	var mu sync.Mutex
	answered, late := 0, 0
	for range calls {
		done.Go(func() {
			_, err := asking(t.Context(), ref, 0)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				answered++
			} else if assert.ErrorIs(t, err, context.DeadlineExceeded) {
				late++
			}
		})
	}
	for range calls {
		await(t, begun)
	}
	close(leave)
	await(t, codec.reading)
	eventually(t, func() bool { return here.node.Stats().Calls.Lost > 0 })
	close(codec.may)
	done.Wait()
	assert.Equal(t, calls, answered+late)
	assert.Positive(t, late)
	eventually(t, func() bool { return here.node.Stats().Calls.Pending == 0 })
}

// An answer that the connection does not take is counted.
func TestAnswersThatCannotBeSent(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	here := newMachine(t, server)
	conn := server.Conn(t, nats.NoReconnect())
	there := newMachineOf(t, conn, nil)
	serve(t, there, "asks", asks(), func(_ context.Context, a ask) error {
		conn.Close()
		a.reply.Answer("to nobody")
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := asking(ctx, refTo(t, here, "asks", asks()), 0)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	eventually(t, func() bool { return there.node.Stats().Served.Lost == 1 })
	eventually(t, func() bool { return there.node.Stats().Served.Pending == 0 })
}
