// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

func TestMain(m *testing.M) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {})) // What is plugged in panics here.
	goleak.VerifyTestMain(m)
}

// quiet has nothing written of what a test loses on purpose.
var quiet = nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})

// patience is how long a test waits for what must happen before it fails.
const patience = time.Minute

// often is how long a test waits between looks.
const often = time.Millisecond

// orderMsg is the type of the messages of most tests.
type orderMsg interface{ isOrder() }

type (
	placeOrder struct{ Item string }
	countItems struct {
		Prefix string

		reply mailbox.Reply[int]
	}
)

func (placeOrder) isOrder() {}
func (countItems) isOrder() {}

func orders() remote.Protocol[orderMsg] {
	return remote.Protocol[orderMsg]{
		Codec: remote.Variants(map[string]orderMsg{"place": placeOrder{}, "count": countItems{}}),
		Calls: []remote.CallType[orderMsg]{
			remote.Answered[orderMsg](func(c *countItems) *mailbox.Reply[int] { return &c.reply }, nil),
		},
	}
}

// text is the protocol of messages that are text.
func text() remote.Protocol[string] { return remote.Protocol[string]{Codec: wire.BytesCodec[string]()} }

// machine is what a test has of one machine.
type machine struct {
	sys  *mailbox.System
	conn *nats.Conn
	node *remote.Node
}

// newMachine makes a machine that ends with the test.
func newMachine(t testing.TB, server *natstest.Server, opts ...remote.Option) *machine {
	t.Helper()
	return newMachineOf(t, server.Conn(t, quiet), nil, opts...)
}

func newMachineOf(t testing.TB, conn *nats.Conn, system []mailbox.SystemOption, opts ...remote.Option) *machine {
	t.Helper()
	sys := mailbox.NewSystem(append([]mailbox.SystemOption{mailbox.WithLogger(nil)}, system...)...)
	node, err := remote.NewNode(sys, conn, append([]remote.Option{remote.WithLogger(nil)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		_ = sys.Shutdown(over)
		_ = node.Close(over)
	})
	return &machine{sys, conn, node}
}

// spawn starts a process.
func spawn[M any](t testing.TB, m *machine, handler mailbox.Handler[M], opts ...mailbox.KindOption) mailbox.Ref[M] {
	t.Helper()
	ref, err := mailbox.Spawn(m.sys, "served", handler, opts...)
	require.NoError(t, err)
	return ref
}

// serve makes a process that handles what comes on a subject, and waits until others can
// reach it.
func serve[M any](
	t testing.TB, m *machine, on string, messages remote.Protocol[M], handler mailbox.Handler[M],
	opts ...remote.ServeOption,
) *remote.Served {
	t.Helper()
	return serveRef(t, m, on, spawn(t, m, handler), messages, opts...)
}

func serveRef[M any](
	t testing.TB, m *machine, on string, ref mailbox.Ref[M], messages remote.Protocol[M], opts ...remote.ServeOption,
) *remote.Served {
	t.Helper()
	served, err := remote.Serve(m.node, on, ref, messages, opts...)
	require.NoError(t, err)
	require.NoError(t, m.conn.Flush())
	return served
}

// refTo makes a reference.
func refTo[M any](
	t testing.TB, m *machine, on string, messages remote.Protocol[M], opts ...mailbox.KindOption,
) mailbox.Ref[M] {
	t.Helper()
	ref, err := remote.NewRef(m.node, "proxy", on, messages, opts...)
	require.NoError(t, err)
	return ref
}

// eventually waits until ok.
func eventually(t testing.TB, ok func() bool, why ...any) {
	t.Helper()
	require.Eventually(t, ok, patience, often, why...)
}

// await receives from c, or fails the test.
func await[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing came")
		panic("unreachable")
	}
}
