// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// undeclared holds a Reply, and no protocol says so.
type undeclared struct {
	reply mailbox.Reply[int]
}

func TestUndeclaredReply(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	here := newMachine(t, server)
	ref := refTo(t, here, "undeclared", remote.Protocol[undeclared]{})
	_, err := mailbox.Call(t.Context(), ref, func(r mailbox.Reply[int]) undeclared { return undeclared{r} })
	require.ErrorIs(t, err, remote.ErrUndeclared)
	pointer := refTo(t, here, "undeclared", remote.Protocol[*undeclared]{})
	_, err = mailbox.Call(t.Context(), pointer, func(r mailbox.Reply[int]) *undeclared { return &undeclared{r} })
	require.ErrorIs(t, err, remote.ErrUndeclared)
	assert.EqualValues(t, 2, here.node.Stats().NotSent.Codec)
}

// brokenCodec is a codec that panics, or fails.
type brokenCodec[T any] struct {
	wire.Codec[T]

	writing, reading error
	panics           bool
}

func (c brokenCodec[T]) Append(b []byte, value T) ([]byte, error) {
	if c.writing != nil && c.panics {
		panic(c.writing)
	}
	if c.writing != nil {
		return b, c.writing
	}
	return c.Codec.Append(b, value)
}

func (c brokenCodec[T]) Decode(data []byte) (T, error) {
	if c.reading != nil && c.panics {
		panic(c.reading)
	}
	if c.reading != nil {
		var none T
		return none, c.reading
	}
	return c.Codec.Decode(data)
}

// A codec that fails or panics, at either end and for messages and answers, is an error of the
// call, and nothing else breaks.
func TestBrokenCodecs(t *testing.T) {
	broken := errors.New("broken")
	for _, panics := range []bool{false, true} {
		for name, of := range map[string]struct {
			message, answer brokenCodec[string]
			here, there     func(remote.Stats) uint64
		}{
			"writing messages": {message: brokenCodec[string]{writing: broken}, here: func(s remote.Stats) uint64 { return s.NotSent.Codec }},
			"reading messages": {message: brokenCodec[string]{reading: broken}, there: func(s remote.Stats) uint64 { return s.Undecodable }},
			"writing answers":  {answer: brokenCodec[string]{writing: broken}, there: func(s remote.Stats) uint64 { return s.Served.Failed }},
			"reading answers":  {answer: brokenCodec[string]{reading: broken}, here: func(s remote.Stats) uint64 { return s.Calls.Failed }},
		} {
			t.Run(fmt.Sprint(name, " panics ", panics), func(t *testing.T) {
				server := natstest.Start(t, natstest.Options{})
				here, there := newMachine(t, server), newMachine(t, server)
				of.message.Codec, of.answer.Codec = wire.BytesCodec[string](), wire.BytesCodec[string]()
				of.message.panics, of.answer.panics = panics, panics
				messages := remote.Protocol[ask]{Codec: askCodec{of.message}, Calls: []remote.CallType[ask]{
					remote.Answered[ask](func(a *ask) *mailbox.Reply[string] { return &a.reply }, of.answer),
				}}
				serve(t, there, "asks", messages, func(_ context.Context, a ask) error {
					a.reply.Answer("answer")
					return nil
				})
				ref := refTo(t, here, "asks", messages)
				for n := range uint64(3) {
					_, err := asking(t.Context(), ref, 0)
					require.ErrorIs(t, err, remote.ErrCodec)
					require.ErrorContains(t, err, "broken")
					if of.here != nil {
						assert.Equal(t, n+1, of.here(here.node.Stats()))
					}
					if of.there != nil {
						eventually(t, func() bool { return of.there(there.node.Stats()) == n+1 })
					}
				}
			})
		}
	}
}

// askCodec writes asks as text.
type askCodec struct{ text wire.Codec[string] }

func (c askCodec) Append(b []byte, a ask) ([]byte, error) {
	return c.text.Append(b, fmt.Sprint(a.Number))
}
func (c askCodec) Decode(data []byte) (ask, error) {
	_, err := c.text.Decode(data)
	return ask{}, err
}

// The function of Answered may panic or return nil.
func TestBrokenAnswered(t *testing.T) {
	for name, broken := range map[string]func(*ask) *mailbox.Reply[string]{
		"panics": func(*ask) *mailbox.Reply[string] { panic("no idea where") },
		"nil":    func(*ask) *mailbox.Reply[string] { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, failing(nil), remote.Limits{})
			messages := remote.Protocol[ask]{Calls: []remote.CallType[ask]{remote.Answered[ask](broken, nil)}}
			_, err := asking(t.Context(), refTo(t, p.here, "asks", messages), 0)
			require.ErrorIs(t, err, remote.ErrCodec)
			serve(t, p.there, "broken", messages, failing(nil))
			_, err = asking(t.Context(), refTo(t, p.here, "broken", asks()), 0)
			require.ErrorIs(t, err, remote.ErrCodec)
		})
	}
}

// Messages and answers are bounded, at both ends.
func TestOversized(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	small := remote.WithLimits(remote.Limits{MaxMessage: 100})
	here, smallHere := newMachine(t, server), newMachine(t, server, small)
	there, smallThere := newMachine(t, server), newMachine(t, server, small)
	echo := func(_ context.Context, a ask) error {
		a.reply.Answer(strings.Repeat("a", a.Number))
		return nil
	}
	serve(t, there, "large", asks(), echo)
	serve(t, smallThere, "small", asks(), echo)
	call := func(m *machine, on string, number int) error {
		_, err := asking(t.Context(), refTo(t, m, on, asks()), number)
		return err
	}
	require.NoError(t, call(here, "large", 1000))
	require.ErrorIs(t, call(here, "large", 2<<20), remote.ErrOversized, "the server of NATS would not take it")
	require.ErrorIs(t, call(smallHere, "large", 1000), remote.ErrOversized, "an answer that comes")
	require.ErrorIs(t, call(here, "small", 1000), remote.ErrOversized, "an answer that goes")
	require.NoError(t, call(here, "small", 10))

	long := refTo(t, here, "small", text())
	require.NoError(t, long.Send(t.Context(), strings.Repeat("a", 101)))
	eventually(t, func() bool { return smallThere.node.Stats().Oversized == 1 })
	require.NoError(t, refTo(t, smallHere, "small", text()).Send(t.Context(), strings.Repeat("a", 101)))
	eventually(t, func() bool { return smallHere.node.Stats().NotSent.Oversized == 1 })
}
