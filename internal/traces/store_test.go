// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traces_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/internal/traces"
)

func TestATraceIsFoundWithItsSpansByTheirStart(t *testing.T) {
	api, guild := service("api"), service("guild")
	store := traces.New(traces.Config{})
	for _, s := range []stub{
		{trace: 1, id: 3, parent: 2, name: "guild Message", service: guild, from: 2 * time.Millisecond, took: time.Millisecond},
		{trace: 1, id: 2, parent: 1, name: "call", service: api, from: time.Millisecond, took: 3 * time.Millisecond, remote: true},
		{trace: 2, id: 1, name: "GET /", service: api, took: time.Millisecond},
		{trace: 1, id: 1, name: "POST /", service: api, took: 4 * time.Millisecond, failed: true},
	} {
		store.Add(s.span())
	}
	found, more := store.Find(traces.Filter{})
	assert.False(t, more)
	assert.Equal(t, []traces.Summary{
		{
			ID: traceID(2), Name: "GET /", Service: "api", Services: []string{"api"}, Start: noon,
			Duration: time.Millisecond, Spans: 1, Kept: traces.Recent,
		},
		{
			ID: traceID(1), Name: "POST /", Service: "api", Services: []string{"api", "guild"}, Start: noon,
			Duration: 4 * time.Millisecond, Spans: 3, Errors: 1, Kept: traces.Failed,
		},
	}, found)

	one, ok := store.Trace(traceID(1))
	require.True(t, ok)
	names := make([]string, 0, len(one.Spans))
	for _, span := range one.Spans {
		names = append(names, span.Name())
	}
	assert.Equal(t, []string{"POST /", "call", "guild Message"}, names)
	_, ok = store.Trace(traceID(3))
	assert.False(t, ok)
}

func TestFilters(t *testing.T) {
	api, guild := service("api"), service("guild")
	store := traces.New(traces.Config{})
	for _, s := range []stub{
		{trace: 1, id: 1, name: "POST /posts", service: api, took: 20 * time.Millisecond},
		{trace: 1, id: 2, parent: 1, name: "guild Message", service: guild, took: time.Millisecond},
		{trace: 2, id: 1, name: "GET /posts", service: api, took: 10 * time.Millisecond, failed: true},
		{trace: 3, id: 1, name: "GET /ok", service: api, attributes: []attribute.KeyValue{keys.LateReason.String("slow")}},
		{trace: 4, id: 1, name: "tick", service: guild},
	} {
		store.Add(s.span())
	}
	for name, test := range map[string]struct {
		filter traces.Filter
		want   []int
		more   bool
	}{
		"all":         {traces.Filter{}, []int{4, 3, 2, 1}, false},
		"limit":       {traces.Filter{Limit: 3}, []int{4, 3, 2}, true},
		"exact limit": {traces.Filter{Limit: 4}, []int{4, 3, 2, 1}, false},
		"service":     {traces.Filter{Service: "guild"}, []int{4, 1}, false},
		"name":        {traces.Filter{Name: "Post"}, []int{2, 1}, false},
		"inner name":  {traces.Filter{Name: "message"}, []int{1}, false},
		"at least":    {traces.Filter{AtLeast: 10 * time.Millisecond}, []int{2, 1}, false},
		"failed":      {traces.Filter{Failed: true}, []int{2}, false},
		"any late":    {traces.Filter{Late: "any"}, []int{3}, false},
		"late":        {traces.Filter{Late: "slow"}, []int{3}, false},
		"other late":  {traces.Filter{Late: "waited"}, nil, false},
		"both":        {traces.Filter{Service: "api", Name: "get", Limit: 1}, []int{3}, true},
		"none":        {traces.Filter{Name: "nothing is called that, and it is longer than any name"}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			found, more := store.Find(test.filter)
			var ids []int
			for _, f := range found {
				ids = append(ids, int(f.ID[15]))
			}
			assert.Equal(t, test.want, ids)
			assert.Equal(t, test.more, more)
		})
	}
}

func TestASpanIsKeptOnce(t *testing.T) {
	store := traces.New(traces.Config{})
	for range 2 {
		for id := 1; id <= 100; id++ {
			store.Add(stub{trace: 1, id: id}.span())
		}
	}
	store.Add(stub{trace: 2, id: 1}.span())
	one, _ := store.Trace(traceID(1))
	assert.Len(t, one.Spans, 100)
	totals := store.Totals()
	assert.EqualValues(t, 201, totals.Seen)
	assert.Equal(t, 101, totals.Kept)
	assert.EqualValues(t, 100, totals.Duplicates)
}

func TestSpansWithoutIDsAreCounted(t *testing.T) {
	store := traces.New(traces.Config{})
	store.Add(stub{id: 1}.span())
	store.Add(stub{trace: 1}.span())
	store.Add(nil)
	totals := store.Totals()
	assert.EqualValues(t, 2, totals.Seen)
	assert.EqualValues(t, 2, totals.Invalid)
	found, _ := store.Find(traces.Filter{})
	assert.Empty(t, found)
}

func TestBroadcasts(t *testing.T) {
	store := traces.New(traces.Config{})
	broadcast := func(id int, of ...attribute.KeyValue) {
		store.Add(stub{trace: 1, id: id, parent: 1, name: "broadcast members", attributes: of}.span())
	}
	broadcast(2, keys.FanoutSize.Int(100), keys.FanoutSampled.Int(10), keys.FanoutMethod.String("uniform"),
		keys.FanoutDelivered.Int(98), keys.FanoutRefused.Int(2), keys.FanoutDepth.Int(1))
	broadcast(3, keys.FanoutSize.Int(7), keys.FanoutWeight.Float64(10)) // a recipient of it
	broadcast(4, keys.FanoutSize.Int(5), keys.FanoutSampled.Int(0), keys.FanoutShed.Bool(true))
	broadcast(4, keys.FanoutSize.Int(5), keys.FanoutSampled.Int(0), keys.FanoutShed.Bool(true)) // again
	want := []traces.Broadcast{
		{Trace: traceID(1), Span: spanID(4), Group: "members", Start: noon, Size: 5, Shed: true},
		{
			Trace: traceID(1), Span: spanID(2), Group: "members", Start: noon, Size: 100,
			Sampled: 10, Delivered: 98, Refused: 2, Depth: 1, Method: "uniform",
		},
	}
	assert.Equal(t, want, store.Broadcasts(10))
	assert.Equal(t, want[:1], store.Broadcasts(1))
	assert.Empty(t, store.Broadcasts(-1))
	totals := store.Totals()
	assert.EqualValues(t, 2, totals.Broadcasts)
	assert.EqualValues(t, 105, totals.Recipients)
	assert.EqualValues(t, 10, totals.Sampled)
	assert.InDelta(t, 12, totals.Naive, 0)

	for id := 10; id < 1000; id++ {
		broadcast(id, keys.FanoutSize.Int(id), keys.FanoutSampled.Int(1))
	}
	latest := store.Broadcasts(1000)
	assert.Len(t, latest, 256)
	for i, b := range latest {
		assert.EqualValues(t, 999-i, b.Size)
	}
}

func TestWatch(t *testing.T) {
	store := traces.New(traces.Config{})
	store.Add(stub{trace: 2, id: 1}.span())
	ctx, cancel := context.WithCancel(t.Context())
	changes := store.Watch(ctx)
	assert.Empty(t, changes)
	for id := 1; id <= 5; id++ {
		store.Add(stub{trace: 1, id: id}.span())
	}
	assert.Len(t, changes, 1)
	<-changes
	assert.Empty(t, changes)
	store.Find(traces.Filter{})
	store.Add(stub{trace: 1, id: 6}.span())
	_, ok := <-changes
	assert.True(t, ok)
	cancel()
	_, ok = <-changes
	assert.False(t, ok)
	store.Add(stub{trace: 1, id: 7}.span())
}
