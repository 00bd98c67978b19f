// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// fanouts returns what a reader finds of broadcasts, by name and group, and the sizes of the
// group called workers.
func fanouts(t *testing.T, reader sdkmetric.Reader) (counts map[string]int64, sizes metricdata.HistogramDataPoint[int64]) {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	counts = make(map[string]int64)
	for _, m := range all.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				if group, ok := p.Attributes.Value("waybill.fanout.group"); ok {
					counts[m.Name+" "+group.AsString()] = p.Value
				}
			}
		case metricdata.Histogram[int64]:
			for _, p := range data.DataPoints {
				if group, _ := p.Attributes.Value("waybill.fanout.group"); group.AsString() == "workers" {
					sizes = p
				}
			}
		}
	}
	return counts, sizes
}

func TestBroadcastsAreCountedByGroup(t *testing.T) {
	rec := record(t)
	metrics, reader := measuring()
	sys := rec.system(metrics)
	group, other := newGroup[job](t, sys, "workers"), newGroup[job](t, sys, "others of them")
	again := newGroup[job](t, sys, "workers") // Another one of that name.
	var refs []mailbox.Ref[job]
	for range 3 {
		ref := spawn(t, sys, "worker", do, mailbox.WithCapacity(1))
		refs = append(refs, ref)
		require.NoError(t, group.Join(ref))
	}
	sampled := rec.broadcast(group, nothing).Sampled
	assert.Positive(t, sampled)
	for _, ref := range refs {
		pass(t, ref)
	}
	release := keepBusy(t, refs[0])
	sendAll(t, refs[0], nothing)
	assert.Equal(t, 1, group.Broadcast(t.Context(), nothing).Refused)
	release()
	group.BroadcastRelays(t.Context(), nothing, func(mailbox.Ref[job]) int { return 1 })
	again.Broadcast(t.Context(), nothing)
	other.Broadcast(t.Context(), nothing)
	counts, sizes := fanouts(t, reader)
	for name, want := range map[string]int64{
		"waybill.fanout.broadcasts workers": 4, "waybill.fanout.sampled workers": int64(sampled),
		"waybill.fanout.broadcasts others of them": 1, "waybill.fanout.delivered others of them": 0,
	} {
		assert.Equal(t, want, counts[name], name)
	}
	delivered, refused := counts["waybill.fanout.delivered workers"], counts["waybill.fanout.refused workers"]
	assert.EqualValues(t, 9, delivered+refused)
	assert.GreaterOrEqual(t, refused, int64(1))
	assert.EqualValues(t, 4, sizes.Count)
	assert.EqualValues(t, 9, sizes.Sum)
	require.Len(t, sizes.Exemplars, 1)
	broadcast := rec.one("broadcast workers").SpanContext
	id := broadcast.SpanID()
	assert.Equal(t, id[:], sizes.Exemplars[0].SpanID, "an exemplar leads to the broadcast")
	drain(t, sys)
}

// A system that is registered by hand counts its broadcasts too, from then on. One that
// reports to nobody counts nothing.
func TestBroadcastsAreCountedOnceThereAreMetrics(t *testing.T) {
	sys := newSystem(t)
	group := newGroup[job](t, sys, "workers")
	require.NoError(t, group.Join(spawn(t, sys, "worker", do)))
	group.Broadcast(t.Context(), nothing)
	reader := sdkmetric.NewManualReader()
	_, err := sys.RegisterMetrics(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"))
	require.NoError(t, err)
	counts, sizes := fanouts(t, reader)
	assert.Zero(t, counts["waybill.fanout.broadcasts workers"])
	group.Broadcast(t.Context(), nothing)
	counts, _ = fanouts(t, reader)
	assert.EqualValues(t, 1, counts["waybill.fanout.broadcasts workers"])
	assert.EqualValues(t, 1, counts["waybill.fanout.delivered workers"])
	assert.Zero(t, sizes.Count, "these need a meter provider")
	drain(t, sys)
}

// A program that names groups after its users keeps its memory and its metrics.
func TestGroupsNamedAfterUsersAreCountedTogether(t *testing.T) {
	metrics, reader := measuring()
	sys := newSystem(t, metrics)
	for i := range 1_300 {
		newGroup[job](t, sys, fmt.Sprint("user ", i)).Broadcast(t.Context(), nothing)
	}
	counts, _ := fanouts(t, reader)
	assert.Len(t, counts, 4*1_001)
	assert.EqualValues(t, 1, counts["waybill.fanout.broadcasts user 999"])
	assert.EqualValues(t, 300, counts["waybill.fanout.broadcasts others"])
}

// What a kind makes of spans is counted: those of handlings, those that began a new trace,
// and late ones by their reason.
func TestSpansAreCounted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		metrics, reader := measuring()
		late := sampling.Late{Failures: true, SlowerThan: time.Second, QueuedLongerThan: time.Minute}
		sys := rec.system(metrics, mailbox.WithControl(controlOf(t, sampling.KindConfig{Late: late})), mailbox.WithChainLimit(3, 0))
		worker := spawn(t, sys, "worker", do, mailbox.WithPanicPolicy(mailbox.Continue),
			mailbox.WithCapacity(1), mailbox.WithOverflow(mailbox.Refuse))
		hops := 5
		var hop job
		hop = func(ctx context.Context) error {
			if hops--; hops == 0 {
				return nil
			}
			return worker.Send(ctx, hop)
		}
		rec.sent(worker, hop)
		settle()
		for _, j := range []job{sleepFor(2 * time.Second), fails, panics} {
			sendSkipped(t, rec, sys, worker, j)
			time.Sleep(time.Hour)
		}
		sendAll(t, worker, fails, nothing) // Untraced: neither leaves a span.
		settle()
		ctx, root := rec.start()
		release := keepBusy(t, worker)
		require.NoError(t, worker.Send(ctx, nothing))
		require.ErrorIs(t, worker.Send(ctx, nothing), mailbox.ErrFull)
		worker.Kill()
		release()
		settle()
		require.ErrorIs(t, worker.Send(ctx, nothing), mailbox.ErrStopped)
		root.End()

		points, _ := measured(t, reader)
		for name, want := range map[string]int64{
			"traced": 5, "chains.cut": 1, "late slow": 1, "late error": 1, "late panic": 1, "late waited": 0,
			"late refused_full": 1, "late refused_stopped": 1, "late dead_letter_killed": 1, "late late_reply": 0,
		} {
			attrs := []attribute.KeyValue{attribute.String("waybill.process.kind", "worker")}
			if _, reason, ok := strings.Cut(name, " "); ok {
				attrs = append(attrs, attribute.String("waybill.late.reason", reason))
				name = "late"
			}
			set := attribute.NewSet(attrs...)
			got, ok := points[name+"{"+set.Encoded(attribute.DefaultEncoder())+"}"]
			assert.True(t, ok, name)
			assert.Equal(t, want, got, "%s of %v", name, attrs)
		}
		var handlings int
		for _, span := range rec.all("worker job") {
			if !slices.ContainsFunc(span.Attributes, func(a attribute.KeyValue) bool { return a.Key == "waybill.late.reason" }) {
				handlings++
			}
		}
		assert.Equal(t, 5, handlings)
		drain(t, sys)
	})
}
