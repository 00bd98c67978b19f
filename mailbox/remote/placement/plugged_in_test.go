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
// Nothing is left out of the counts.
func TestEachThingIsTold(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	records := make(chan slog.Record, 100)
	m := c.newMachine(t, c.server.Conn(t), func(config *placement.Config[counterMsg]) {
		config.Logger = slog.New(collected(records))
	})
	const failures = 10
	for range failures {
		placement.Tell(m.kind, "store failed")
	}
	placement.Tell(m.kind, "lost the lease")
	counts, wrong := map[string]uint64{}, map[string]bool{}
	for counts["placement: store failed"] < failures || counts["placement: lost the lease"] < 1 {
		r := await(t, records)
		r.Attrs(func(a slog.Attr) bool {
			switch a.Key {
			case "count":
				counts[r.Message] += a.Value.Uint64()
			case "error":
				wrong[r.Message] = true
			}
			return true
		})
	}
	assert.Equal(t, map[string]uint64{"placement: store failed": failures, "placement: lost the lease": 1}, counts)
	assert.Equal(t, map[string]bool{"placement: store failed": true, "placement: lost the lease": true}, wrong, "an error each")
}

// collected is a handler of log records that keeps them.
type collected chan<- slog.Record

func (collected) Enabled(context.Context, slog.Level) bool { return true }
func (c collected) WithAttrs([]slog.Attr) slog.Handler     { return c }
func (c collected) WithGroup(string) slog.Handler          { return c }
func (c collected) Handle(_ context.Context, r slog.Record) error {
	c <- r
	return nil
}
