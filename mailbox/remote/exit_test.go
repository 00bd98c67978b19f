// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// exiting is a codec that ends its goroutine.
type exiting struct {
	wire.Codec[string]

	writing, reading bool
}

func (e exiting) Append(b []byte, message string) ([]byte, error) {
	if e.writing {
		runtime.Goexit()
	}
	return e.Codec.Append(b, message)
}

func (e exiting) Decode(data []byte) (string, error) {
	if e.reading {
		runtime.Goexit()
	}
	return e.Codec.Decode(data)
}

// A call whose answer cannot be written or read because the codec ends its goroutine ends with an
// error, on both sides.
func TestAnswersOfACodecThatExits(t *testing.T) {
	for name, codec := range map[string]exiting{
		"written": {wire.JSONCodec[string](), true, false},
		"read":    {wire.JSONCodec[string](), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			server := natstest.Start(t, natstest.Options{})
			here, there := newMachine(t, server), newMachine(t, server)
			messages := remote.Protocol[ask]{Calls: []remote.CallType[ask]{
				remote.Answered[ask](func(a *ask) *mailbox.Reply[string] { return &a.reply }, codec),
			}}
			serve(t, there, "asks", messages, func(_ context.Context, a ask) error {
				a.reply.Answer("an answer")
				return nil
			})
			ref, err := remote.NewRef(here.node, "asks", "asks", messages)
			require.NoError(t, err)
			_, err = asking(t.Context(), ref, 1)
			failed, ok := errors.AsType[*remote.Error](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, "codec", failed.Code)
			assert.Contains(t, failed.Text, "ended its goroutine")
			assert.EqualValues(t, 1, here.node.Stats().Calls.Failed)
			eventually(t, func() bool { return there.node.Stats().Served.Pending == 0 })
		})
	}
}

// A message whose codec does not return does not hold up the end for ever.
func TestCloseWhileACodecDoesNotReturn(t *testing.T) {
	m := newMachine(t, natstest.Start(t, natstest.Options{}))
	served := serve(t, m, "text", remote.Protocol[string]{Codec: exiting{wire.JSONCodec[string](), false, true}},
		func(context.Context, string) error { return nil })
	for range 2 {
		require.NoError(t, m.conn.Publish("text", []byte(`"hello"`)))
	}
	require.NoError(t, m.conn.Flush())
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, served.Close(ctx), context.DeadlineExceeded)
	eventually(t, func() bool { return goleak.Find(before) == nil })
}
