// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package fanout_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/sampling"
	"github.com/waybill-go/waybill/sampling/fanout"
)

type box = chan envelope.Envelope[string]

// boxes returns three channels: one with room, a full one, and one without a buffer.
func boxes(p *program) []box {
	full := make(box, 1)
	full <- envelope.Wrap(p.ctx, "old")
	return []box{make(box, 1), full, make(box), nil}
}

func TestSend(t *testing.T) {
	all := fanout.WithSampling(sampling.GroupConfig{Curve: sampling.Always()})
	t.Run("refuse", func(t *testing.T) {
		p := start(t, all)
		to := boxes(p)
		d, lost := fanout.Send(p.ctx, p.Fanout, to, "new", fanout.Refuse)
		assert.Equal(t, fanout.Delivery{Size: 4, Delivered: 1, Refused: 3, Sampled: 4}, d)
		assert.Equal(t, []int{1, 2, 3}, lost)
		assert.Equal(t, "new", (<-to[0]).Message())
		assert.Equal(t, "old", (<-to[1]).Message())
	})
	t.Run("drop oldest", func(t *testing.T) {
		p := start(t, all)
		to := boxes(p)
		d, lost := fanout.Send(p.ctx, p.Fanout, to, "new", fanout.DropOldest)
		assert.Equal(t, fanout.Delivery{Size: 4, Delivered: 2, Refused: 2, Sampled: 4}, d)
		assert.Equal(t, []int{1, 2, 3}, lost)
		e := <-to[1]
		assert.Equal(t, "new", e.Message())
		assert.True(t, e.Header().Sampled())
		_, attrs := p.spans("deliver chat")
		reasons := make(map[any]int)
		for _, a := range attrs {
			reasons[a[keys.LateReason]]++
		}
		assert.Equal(t, map[any]int{"dead_letter_dropped": 1, "refused_full": 2}, reasons)
		p.Drop(e.Header(), fanout.Stopped)
		p.Drop(nil, fanout.Stopped)
		_, attrs = p.spans("deliver chat")
		assert.Equal(t, "dead_letter_stopped", attrs[len(attrs)-1][keys.LateReason])
		assert.EqualValues(t, 3, p.Stats().Dropped)
	})
	t.Run("wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := start(t, all)
			to := boxes(p)
			ctx, cancel := context.WithTimeout(p.ctx, time.Second)
			defer cancel()
			go func() {
				time.Sleep(time.Millisecond)
				<-to[1]
			}()
			d, lost := fanout.Send(ctx, p.Fanout, to, "new", fanout.Wait)
			assert.Equal(t, fanout.Delivery{Size: 4, Delivered: 2, Refused: 2, Sampled: 4}, d)
			assert.Equal(t, []int{2, 3}, lost)
			_, attrs := p.spans("deliver chat")
			assert.Equal(t, "refused_cancelled", attrs[0][keys.LateReason])
		})
	})
}

// The span ends even if a channel is closed, where a send panics.
func TestSendOnAClosedChannel(t *testing.T) {
	p := start(t)
	closed := make(box)
	close(closed)
	assert.Panics(t, func() { fanout.Send(p.ctx, p.Fanout, []box{make(box, 1), closed}, "hello", fanout.DropOldest) })
	_, attrs := p.one("broadcast chat")
	assert.EqualValues(t, 2, attrs[keys.FanoutSize])
}

// A channel without a buffer has no oldest message. What could be received there is one that
// somebody else waits to send.
func TestDropOldestTakesNothingFromAnotherSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t)
		ch := make(box)
		go func() { ch <- envelope.Bare("other") }()
		synctest.Wait()
		d, lost := fanout.Send(p.ctx, p.Fanout, []box{ch}, "new", fanout.DropOldest)
		assert.Equal(t, 1, d.Refused)
		assert.Equal(t, []int{0}, lost)
		assert.Equal(t, "other", (<-ch).Message())
		assert.Zero(t, p.Stats().Dropped)
	})
}

// Untraced messages to channels with room allocate nothing.
func TestSendAllocatesNothing(t *testing.T) {
	p := start(t)
	to := []box{make(box, 1), make(box, 1)}
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		fanout.Send(t.Context(), p.Fanout, to, "hello", fanout.Refuse)
		for _, ch := range to {
			<-ch
		}
	}))
}
