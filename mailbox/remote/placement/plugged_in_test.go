// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement_test

import (
	"context"
	"log/slog"
	"testing"

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
