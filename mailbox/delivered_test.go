// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// consigned is a message that is told what becomes of it.
type consigned struct {
	n    int
	told *told
}

type told struct {
	mu           sync.Mutex
	failed, dead map[int][]error
}

func newTold() *told { return &told{failed: map[int][]error{}, dead: map[int][]error{}} }

func (t *told) add(to map[int][]error, n int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	to[n] = append(to[n], err)
}

func (c consigned) MessageType() reflect.Type { return reflect.TypeFor[goods]() }
func (c consigned) Failed(err error)          { c.told.add(c.told.failed, c.n, err) }
func (c consigned) Dead(err error)            { c.told.add(c.told.dead, c.n, err) }

type goods struct{}

var errBroken = errors.New("broken")

// Messages that want to know hear exactly once that they failed or will never be handled, in
// whatever way that happens, and nothing of what was handled or refused.
func TestDeliveredMessagesAreToldOnce(t *testing.T) {
	seen := newTold()
	sys := newSystem(t)
	begun, goOn := make(chan struct{}), make(chan struct{})
	handle := func(_ context.Context, m consigned) error {
		switch m.n {
		case 1:
			return errBroken
		case 2:
			panic(errBroken)
		case 3:
			runtime.Goexit()
		case 4:
			close(begun)
			<-goOn
		}
		return nil
	}
	kind, err := mailbox.NewKind[consigned](sys, "carrier", mailbox.WithCapacity(2),
		mailbox.WithOverflow(mailbox.DropOldest), mailbox.WithPanicPolicy(mailbox.Continue))
	require.NoError(t, err)
	ref, err := kind.Spawn("", handle)
	require.NoError(t, err)
	for n := range 5 {
		require.NoError(t, ref.Send(t.Context(), consigned{n, seen}))
		if n < 4 {
			require.Eventually(t, func() bool { return sys.Stats().Queued == 0 }, patience, time.Millisecond)
		}
	}
	<-begun
	for n := 5; n < 8; n++ { // The third takes the place of the first.
		require.NoError(t, ref.Send(t.Context(), consigned{n, seen}))
	}
	ref.Kill()
	require.ErrorIs(t, ref.Send(t.Context(), consigned{8, seen}), mailbox.ErrStopped)
	close(goOn)
	<-ref.Done()

	require.Len(t, seen.failed, 3)
	assert.Equal(t, []error{errBroken}, seen.failed[1])
	var panicked *mailbox.PanicError
	require.Len(t, seen.failed[2], 1)
	require.ErrorAs(t, seen.failed[2][0], &panicked)
	assert.Equal(t, []error{mailbox.ErrGoexit}, seen.failed[3])
	assert.Equal(t, map[int][]error{
		5: {mailbox.ErrDropped}, 6: {mailbox.ErrStopped}, 7: {mailbox.ErrStopped},
	}, seen.dead)
}

// A factory that fails has handled nothing.
func TestDeliveredMessagesHearOfTheFactory(t *testing.T) {
	seen := newTold()
	sys := newSystem(t)
	kind, err := mailbox.NewKind[consigned](sys, "carrier")
	require.NoError(t, err)
	ref, err := kind.SpawnInstance("", func(context.Context, mailbox.Ref[consigned]) (mailbox.Instance[consigned], error) {
		return mailbox.Instance[consigned]{}, errBroken
	})
	require.NoError(t, err)
	require.NoError(t, ref.Send(t.Context(), consigned{1, seen}))
	require.NoError(t, ref.Stop(t.Context()))
	assert.Equal(t, map[int][]error{1: {errBroken}}, seen.failed)
	assert.Empty(t, seen.dead)
}

// A message that stands for another one has the name of that in spans and events.
func TestDeliveredMessagesHaveTheNameOfWhatTheyStandFor(t *testing.T) {
	seen := newTold()
	events := make(chan mailbox.Event, 1)
	sys := newSystem(t, mailbox.WithEventHook(func(e mailbox.Event) { events <- e }, mailbox.HandlerFailed))
	ref, err := mailbox.Spawn(sys, "carrier", func(context.Context, consigned) error { return errBroken })
	require.NoError(t, err)
	require.NoError(t, ref.Send(t.Context(), consigned{1, seen}))
	assert.Equal(t, "goods", (<-events).Message)
}
