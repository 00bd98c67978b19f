// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

func TestOptionsThatMakeNoSense(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	m := newMachine(t, server)
	_, err := remote.NewNode(nil, m.conn)
	require.ErrorIs(t, err, mailbox.ErrConfig)
	_, err = remote.NewNode(m.sys, nil)
	require.ErrorIs(t, err, mailbox.ErrConfig)
	for name, option := range map[string]remote.Option{
		"prefix":         remote.WithPrefix("way bill"),
		"no prefix":      remote.WithPrefix(""),
		"wildcard":       remote.WithPrefix("*"),
		"long ID":        remote.WithID(strings.Repeat("x", 300)),
		"message":        remote.WithLimits(remote.Limits{MaxMessage: -1}),
		"timeout":        remote.WithLimits(remote.Limits{CallTimeout: -1}),
		"call time":      remote.WithLimits(remote.Limits{MaxCallTime: -1}),
		"too few bytes":  remote.WithLimits(remote.Limits{MaxPendingBytes: 1}),
		"large messages": remote.WithLimits(remote.Limits{MaxMessage: math.MaxInt}),
	} {
		_, err := remote.NewNode(m.sys, m.conn, option)
		require.ErrorIs(t, err, mailbox.ErrConfig, name)
	}
	node, err := remote.NewNode(m.sys, m.conn, nil, remote.WithID("a.b *"), remote.WithPrefix("my.fleet"))
	require.NoError(t, err, "an ID may be anything")
	assert.Equal(t, "a.b *", node.ID())
	assert.Equal(t, "my.fleet", node.Prefix())
	assert.Same(t, m.sys, node.System())
	assert.Same(t, m.conn, node.Conn())
	require.NoError(t, node.Close(t.Context()))
}

func TestServeAndRefRefuseWhatMakesNoSense(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	m := newMachine(t, server)
	process := spawn(t, m, func(context.Context, string) error { return nil })
	twice := remote.Answered[ask](func(a *ask) *mailbox.Reply[string] { return &a.reply }, nil)
	protocols := map[string]remote.Protocol[ask]{
		"zero call type": {Calls: []remote.CallType[ask]{{}}},
		"no function":    {Calls: []remote.CallType[ask]{remote.Answered[ask, ask, string](nil, nil)}},
		"twice":          {Calls: []remote.CallType[ask]{twice, twice}},
		"another type": {Calls: []remote.CallType[ask]{
			remote.Answered[ask](func(c *countItems) *mailbox.Reply[int] { return &c.reply }, nil),
		}},
	}
	for name, messages := range protocols {
		_, err := remote.NewRef(m.node, "proxy", "asks", messages)
		require.ErrorIs(t, err, mailbox.ErrConfig, name)
		_, err = remote.Serve(m.node, "asks", mailbox.Ref[ask]{}, messages)
		require.ErrorIs(t, err, mailbox.ErrConfig, name)
	}
	for _, on := range []string{"", "a b", "a.*", "a.>", "a..b", strings.Repeat("x", 2000)} {
		_, err := remote.NewRef(m.node, "proxy", on, text())
		require.ErrorIs(t, err, mailbox.ErrConfig, on)
		_, err = remote.Serve(m.node, on, process, text())
		require.ErrorIs(t, err, mailbox.ErrConfig, on)
	}
	_, err := remote.NewRef(nil, "proxy", "text", text())
	require.ErrorIs(t, err, mailbox.ErrConfig)
	_, err = remote.Serve(nil, "text", process, text())
	require.ErrorIs(t, err, mailbox.ErrConfig)
	_, err = remote.NewRef(m.node, "", "text", text())
	require.ErrorIs(t, err, mailbox.ErrConfig, "a kind needs a name")
	_, err = remote.Serve(m.node, "text", process, text(), nil, remote.WithQueue("a b"))
	require.ErrorIs(t, err, nats.ErrBadQueueName)
	_, err = remote.NewRef(m.node, "proxy", "orders", remote.Protocol[interface{ isOrder() }]{})
	require.ErrorIs(t, err, mailbox.ErrConfig, "JSON could not read what it has written")
	require.ErrorContains(t, err, "Variants")
	_, err = remote.NewGroup(m.node, "orders", remote.Protocol[interface{ isOrder() }]{})
	require.ErrorIs(t, err, mailbox.ErrConfig)
	_, err = remote.NewRef(m.node, "proxy", "anything", remote.Protocol[any]{})
	require.NoError(t, err, "any JSON")

	require.NoError(t, m.node.Close(t.Context()))
	_, err = remote.Serve(m.node, "text", process, text())
	require.ErrorIs(t, err, mailbox.ErrStopped)
	m.conn.Close()
	_, err = remote.NewNode(m.sys, m.conn)
	require.ErrorIs(t, err, nats.ErrConnectionClosed)
}

// A node never has two processes that would both get every message.
func TestServeTwice(t *testing.T) {
	m := newMachine(t, natstest.Start(t, natstest.Options{}))
	process := spawn(t, m, func(context.Context, string) error { return nil })
	serve := func(opts ...remote.ServeOption) (*remote.Served, error) {
		return remote.Serve(m.node, "text", process, text(), opts...)
	}
	alone, err := serve()
	require.NoError(t, err)
	for _, opts := range [][]remote.ServeOption{nil, {remote.WithQueue("q")}} {
		_, err = serve(opts...)
		require.ErrorIs(t, err, mailbox.ErrConfig)
	}
	require.NoError(t, alone.Close(t.Context()))
	require.NoError(t, alone.Close(t.Context()), "again")
	first, err := serve(remote.WithQueue("q"))
	require.NoError(t, err, "it is free again")
	second, err := serve(remote.WithQueue("q"))
	require.NoError(t, err, "they share what comes")
	require.NoError(t, first.Close(t.Context()))
	_, err = serve()
	require.ErrorIs(t, err, mailbox.ErrConfig, "there is one left")
	require.NoError(t, second.Close(t.Context()))
	_, err = serve()
	require.NoError(t, err)
}

type pointed struct{ N int }

func (*pointed) isOrder() {}

func TestVariants(t *testing.T) {
	codec := remote.Variants(map[string]orderMsg{"place": placeOrder{}, `"quoted"`: &pointed{}})
	for message, written := range map[orderMsg]string{
		placeOrder{"a lamp"}: `{"type":"place","message":{"Item":"a lamp"}}`,
		&pointed{7}:          `{"type":"\"quoted\"","message":{"N":7}}`,
	} {
		data, err := codec.Append([]byte("before"), message)
		require.NoError(t, err)
		assert.Equal(t, "before"+written, string(data))
		got, err := codec.Decode([]byte(written))
		require.NoError(t, err)
		assert.Equal(t, message, got)
	}
	for _, message := range []orderMsg{nil, countItems{}, pointedToo{}} {
		_, err := codec.Append(nil, message)
		require.Error(t, err)
	}
	for _, data := range []string{
		"", "{", "null", "{}", `{"type":"place"}`, `{"type":"cancel","message":{}}`, `{"type":"place","message":[]}`,
		`{"type":"place","message":{}} {}`, `{"type":7,"message":{}}`, `{"type":"\"quoted\"","message":null}`,
	} {
		_, err := codec.Decode([]byte(data))
		require.Error(t, err, data)
	}
}

type pointedToo struct{}

func (pointedToo) isOrder() {}

func TestVariantsThatMakeNoSense(t *testing.T) {
	assert.Panics(t, func() { remote.Variants(map[string]placeOrder{"place": {}}) })
	assert.Panics(t, func() { remote.Variants(map[string]orderMsg{"place": nil}) })
	assert.Panics(t, func() { remote.Variants(map[string]orderMsg{"place": placeOrder{}, "order": placeOrder{}}) })
}

// Whatever is read was written so, and is written so again.
func FuzzVariants(f *testing.F) {
	f.Add([]byte(`{"type":"place","message":{"Item":"a lamp"}}`))
	f.Add([]byte(`{"TYPE":"count","message":{"Prefix":"x"},"more":1}`))
	codec := remote.Variants(map[string]orderMsg{"place": placeOrder{}, "count": countItems{}})
	f.Fuzz(func(t *testing.T, data []byte) {
		before := string(data)
		message, err := codec.Decode(data)
		require.Equal(t, before, string(data))
		if err != nil {
			return
		}
		again, err := codec.Append(nil, message)
		require.NoError(t, err)
		same, err := codec.Decode(again)
		require.NoError(t, err)
		require.Equal(t, message, same)
	})
}

// Several protocols may be used with one node, and several nodes with one connection.
func TestNodesShareAConnection(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	conn := server.Conn(t)
	here, there := newMachineOf(t, conn, nil), newMachineOf(t, conn, nil)
	serve(t, there, "orders", orders(), shop())
	n, err := count(t.Context(), refTo(t, here, "orders", orders()), "")
	require.NoError(t, err)
	assert.Zero(t, n)
	require.NoError(t, there.node.Close(t.Context()))
	assert.True(t, conn.IsConnected(), "it is not theirs")
}

// What the page on nodes shows works.
func TestPage(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	stop, stopped := make(chan struct{}), make(chan error, 1)
	sys := mailbox.NewSystem()
	conn := server.Conn(t)
	go func() { stopped <- serveGuild(t.Context(), sys, conn, stop) }()
	here := newMachine(t, server)
	eventually(t, func() bool { return useGuild(t.Context(), here.node) == nil })
	close(stop)
	require.NoError(t, await(t, stopped))
}
