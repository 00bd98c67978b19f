// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/mailbox/remote/placement"
)

// brokenLogs is a handler of log records that panics.
type brokenLogs struct {
	slog.Handler

	told chan struct{}
}

func (brokenLogs) Enabled(context.Context, slog.Level) bool { return true }

func (b brokenLogs) Handle(context.Context, slog.Record) error {
	defer close(b.told)
	panic("broken")
}

// A logger that panics takes nothing down.
func TestLoggerThatPanics(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	logs := brokenLogs{quiet().Handler(), make(chan struct{})}
	m := c.newMachine(t, c.server.Conn(t), func(config *placement.Config[counterMsg]) {
		config.Logger = slog.New(logs)
	})
	placement.Tell(m.kind, "something")
	<-logs.told
	ask(t, m, "1")
}

// What is told often does not hide the rest: a node that loses its lease has had a store that fails.
func TestEachThingIsTold(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	records := make(chan string, 100)
	m := c.newMachine(t, c.server.Conn(t), func(config *placement.Config[counterMsg]) {
		config.Logger = slog.New(collected(records))
	})
	for range 10 {
		placement.Tell(m.kind, "store failed")
	}
	placement.Tell(m.kind, "lost the lease")
	told := map[string]bool{}
	for len(told) < 2 {
		told[await(t, records)] = true
	}
	assert.Equal(t, map[string]bool{"placement: store failed": true, "placement: lost the lease": true}, told)
}

// collected is a handler of log records that keeps their texts.
type collected chan<- string

func (collected) Enabled(context.Context, slog.Level) bool { return true }
func (c collected) WithAttrs([]slog.Attr) slog.Handler     { return c }
func (c collected) WithGroup(string) slog.Handler          { return c }
func (c collected) Handle(_ context.Context, r slog.Record) error {
	c <- r.Message
	return nil
}
