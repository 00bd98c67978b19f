// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package contexts_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/mailbox/internal/contexts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// process is the least that has a context: one that ends when it is told to.
type process struct {
	contexts.Cancellation

	base  context.Context
	ended atomic.Bool
}

var (
	_ context.Context = (*process)(nil)
	_ contexts.Owner  = (*process)(nil)
)

func newProcess() *process { return &process{base: contexts.Base()} }

func (p *process) end() {
	p.ended.Store(true)
	p.Tell(p)
}

func (*process) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }
func (p *process) Done() <-chan struct{}                 { return p.Cancellation.Done(p) }
func (p *process) Err() error                            { return p.Cancellation.Err(p) }
func (p *process) AfterFunc(f func()) (stop func() bool) { return p.Cancellation.AfterFunc(p, f) }
func (p *process) Ended() bool                           { return p.ended.Load() }
func (*process) SentAt() (reading int64, ok bool)        { return 7, true }
func (*process) Yield()                                  {}

func (p *process) Value(key any) any {
	if key == (contexts.OwnerKey{}) {
		return p
	}
	return p.base.Value(key)
}

// over reports whether ctx has ended, by its channel.
func over(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	default:
		return false
	}
}
