// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/mailbox/remote/internal/natstest"
)

// log is what a logger has written.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func newLog() *log { return new(log) }

func (l *log) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// Write implements io.Writer.
func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSpace(l.text.String()), "\n")
}

// has reports whether a line has all parts.
func (l *log) has(parts ...string) bool {
	for _, line := range l.lines() {
		all := true
		for _, part := range parts {
			all = all && strings.Contains(line, part)
		}
		if all {
			return true
		}
	}
	return false
}

// Of many messages that are lost at once, the log has a line, and another one that says how
// many there were.
func TestTheLogIsBounded(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	log := newLog()
	there := newMachine(t, server, remote.WithLogger(log.logger()))
	serve(t, there, "orders", orders(), shop())
	conn := server.Conn(t)
	const messages = 5000
	for range messages {
		require.NoError(t, conn.Publish("orders", []byte("no order")))
	}
	require.NoError(t, conn.Flush())
	eventually(t, func() bool { return there.node.Stats().Undecodable == messages })
	counted := func() (n int) {
		for _, line := range log.lines() {
			at := strings.Index(line, "count=")
			if at < 0 {
				return 0
			}
			var of int
			_, err := fmt.Sscanf(line[at:], "count=%d", &of)
			assert.NoError(t, err)
			n += of
		}
		return n
	}
	eventually(t, func() bool { return counted() == messages })
	assert.Less(t, len(log.lines()), 100)
	assert.True(t, log.has("not readable", "subject=orders", "invalid character"), "%s", log.lines())
}

// stuck is a handler of log/slog that blocks or panics.
type stuck struct {
	slog.Handler

	release <-chan struct{} // nil panics
}

func (stuck) Enabled(context.Context, slog.Level) bool { return true }
func (s stuck) Handle(context.Context, slog.Record) error {
	if s.release == nil {
		panic(errors.New("no disk"))
	}
	<-s.release
	return nil
}

// A logger that blocks or panics holds nothing up.
func TestBrokenLogger(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	for name, handler := range map[string]slog.Handler{"blocks": stuck{release: release}, "panics": stuck{}} {
		t.Run(name, func(t *testing.T) {
			server := natstest.Start(t, natstest.Options{})
			there := newMachine(t, server, remote.WithLogger(slog.New(handler)))
			serve(t, there, "orders", orders(), shop())
			foreign := server.Conn(t)
			for range 10 {
				assert.NotEmpty(t, request(t, foreign, "orders", "no order").Header)
			}
		})
	}
}

// exitsOnce is a handler of log/slog that ends its goroutine, the first time.
type exitsOnce struct {
	slog.Handler

	records chan slog.Record
	before  *atomic.Bool
}

func (exitsOnce) Enabled(context.Context, slog.Level) bool { return true }
func (e exitsOnce) Handle(_ context.Context, r slog.Record) error {
	if !e.before.Swap(true) {
		runtime.Goexit()
	}
	e.records <- r
	return nil
}

// A logger that ends its goroutine is told the next time.
func TestLoggerThatExits(t *testing.T) {
	server := natstest.Start(t, natstest.Options{})
	e := exitsOnce{records: make(chan slog.Record, 10), before: new(atomic.Bool)}
	there := newMachine(t, server, remote.WithLogger(slog.New(e)))
	serve(t, there, "orders", orders(), shop())
	conn := server.Conn(t)
	require.NoError(t, conn.Publish("orders", []byte("no order")))
	require.NoError(t, conn.Flush())
	eventually(t, e.before.Load)
	require.NoError(t, conn.Publish("orders", []byte("no order")))
	assert.Contains(t, await(t, e.records).Message, "not readable")
}
