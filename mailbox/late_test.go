// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/internal/keys"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// rarely is a sampling that skips all but one in a million, which never came up.
var rarely = mailbox.WithSampling(func() sampling.GroupConfig {
	curve, err := sampling.NewCurve(sampling.Point{Size: 1, Probability: 1e-12})
	if err != nil {
		panic(err)
	}
	return sampling.GroupConfig{Curve: curve}
}())

// controlOf makes a control with those settings for all kinds.
func controlOf(t *testing.T, settings sampling.KindConfig) *sampling.Control {
	t.Helper()
	c := sampling.Config{}
	c.Default = settings
	control, err := sampling.NewControl(c)
	require.NoError(t, err)
	return control
}

// sendSkipped has a sampled broadcast skip ref, and returns when that is done with it.
func sendSkipped(t *testing.T, rec *recorder, sys *mailbox.System, ref mailbox.Ref[job], j job) {
	t.Helper()
	group := newGroup[job](t, sys, "workers", rarely)
	require.NoError(t, group.Join(ref))
	ctx, root := rec.start()
	assert.Zero(t, group.Broadcast(ctx, j).Sampled)
	root.End()
	group.Leave(ref)
}

func sleepFor(d time.Duration) job {
	return func(context.Context) error {
		time.Sleep(d)
		return nil
	}
}

// A recipient that the broadcast's choice passed over reports to its trace when
// something is worth it: as an exemplar, which no estimate counts.
func TestSkippedRecipientsSpeakUp(t *testing.T) {
	all := sampling.Late{Failures: true, SlowerThan: 100 * time.Millisecond, QueuedLongerThan: time.Second}
	const wait = 5 * time.Second
	for _, test := range []struct {
		name   string
		late   sampling.Late
		do     job
		waited time.Duration
		want   string // reason, none if empty
		took   time.Duration
		code   codes.Code
	}{
		{"quick", all, sleepFor(50 * time.Millisecond), 0, "", 0, 0},
		{"slow", all, sleepFor(150 * time.Millisecond), 0, "slow", 150 * time.Millisecond, codes.Unset},
		{"slow, and waited", all, sleepFor(150 * time.Millisecond), wait, "slow", 150 * time.Millisecond, codes.Unset},
		{"slow, and nobody cares", sampling.Late{Failures: true}, sleepFor(time.Hour), 0, "", 0, 0},
		{"slow, and failed", all, func(ctx context.Context) error {
			time.Sleep(150 * time.Millisecond)
			return fails(ctx)
		}, 0, "error", 150 * time.Millisecond, codes.Error},
		{"error", all, fails, 0, "error", 0, codes.Error},
		{"panic", all, panics, wait, "panic", 0, codes.Error},
		{"exit", all, exits, 0, "panic", 0, codes.Error},
		{"error, and nobody cares", sampling.Late{SlowerThan: time.Second}, fails, 0, "", 0, 0},
		{"waited", all, nothing, wait, "waited", 0, codes.Unset},
		{"waited, and nobody cares", sampling.Late{Failures: true}, nothing, wait, "", 0, 0},
		{"never handled", all, nil, wait, "dead_letter_killed", wait, codes.Error},
		{"never handled, and nobody cares", sampling.Late{SlowerThan: time.Second}, nil, wait, "", 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				rec := record(t)
				sys := rec.system(mailbox.WithControl(controlOf(t, sampling.KindConfig{Late: test.late})))
				ref := spawn(t, sys, "worker", do, mailbox.WithPanicPolicy(mailbox.Continue))
				release := keepBusy(t, ref)
				begun := time.Now()
				sendSkipped(t, rec, sys, ref, test.do)
				time.Sleep(test.waited)
				if test.do == nil {
					ref.Kill()
				} else {
					begun = time.Now()
				}
				release()
				time.Sleep(2 * time.Hour)
				spans := rec.all("worker job")
				drain(t, sys)
				if test.want == "" {
					assert.Empty(t, spans)
					return
				}
				require.Len(t, spans, 1)
				requireChild(t, rec.one("broadcast workers").SpanContext, spans[0])
				attrs := attributes(t, spans[0])
				assert.Equal(t, test.want, attrs[keys.LateReason])
				assert.InDelta(t, test.waited.Seconds(), attrs[keys.QueueDuration], 0.002)
				assert.Zero(t, attrs[keys.FanoutWeight])
				assert.NotContains(t, attrs, keys.FanoutProbability)
				assert.Equal(t, test.code, spans[0].Status.Code)
				if test.do == nil {
					assert.Equal(t, test.want, spans[0].Status.Description)
				}
				assert.WithinDuration(t, begun, spans[0].StartTime, 2*time.Millisecond)
				assert.Equal(t, test.took, spans[0].EndTime.Sub(spans[0].StartTime).Round(time.Millisecond))
				for _, event := range spans[0].Events {
					assert.False(t, event.Time.After(spans[0].EndTime))
				}
			})
		})
	}
}

// A refusal in an unsampled trace is worth a root of its own only where that was
// asked for.
func TestUnsampledMessagesSpeakUpOnRequest(t *testing.T) {
	for _, roots := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			rec := record(t)
			sys := rec.system(mailbox.WithControl(controlOf(t, sampling.KindConfig{Late: sampling.Late{Failures: true, Roots: roots}})))
			ref := spawn(t, sys, "worker", do)
			sendAll(t, ref, fails)
			settle()
			if roots {
				span := rec.one("worker job")
				assert.False(t, span.Parent.IsValid())
				assert.Empty(t, span.Links, "it was in no trace")
				assert.Zero(t, attributes(t, span)[keys.FanoutWeight])
			} else {
				assert.Empty(t, rec.names())
			}
			drain(t, sys)
		})
	}
}

func TestLateSpansAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		control := controlOf(t, sampling.KindConfig{Late: sampling.Late{Failures: true, PerSecond: 20}})
		sys := rec.system(mailbox.WithControl(control))
		ref := spawn(t, sys, "worker", do)
		second := func() int {
			rec.spans.Reset()
			for range 100 {
				sendSkipped(t, rec, sys, ref, fails)
				settle()
				time.Sleep(10 * time.Millisecond)
			}
			return len(rec.all("worker job"))
		}
		second() // A second's worth may come at once.
		assert.InDelta(t, 20, second(), 1)
		assert.InDelta(t, 20, second(), 1)
		made, shed := 0, sys.Stats().LateShed
		for range 3 {
			made += second()
		}
		assert.EqualValues(t, 300-made, sys.Stats().LateShed-shed, "all are accounted for")
		c := control.Config()
		c.Default.Late.PerSecond = -1
		require.NoError(t, control.Set(c))
		assert.Equal(t, 100, second())
		drain(t, sys)
	})
}

// Who says nothing about a bound has one: hostile peers can make any number of
// messages fail.
func TestLateSpansAreBoundedByDefault(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system(mailbox.WithControl(controlOf(t, sampling.KindConfig{Late: sampling.Late{Failures: true}})))
		ref := spawn(t, sys, "worker", do)
		for range 1000 { // at one moment, which a second's worth may come at
			sendSkipped(t, rec, sys, ref, fails)
			settle()
		}
		assert.Len(t, rec.all("worker job"), 10)
		assert.EqualValues(t, 990, sys.Stats().LateShed, "all are accounted for")
		drain(t, sys)
	})
}

// A flood of slow handlings or errors does not hide a panic: each reason has a bound of its own. That holds too where slow handlings count and a slow one that panics does not.
func TestEachReasonHasItsBoundOfLateSpans(t *testing.T) {
	for name, late := range map[string]sampling.Late{
		"uncounted": {Failures: true, SlowerThan: time.Millisecond, PerSecond: 3},
		"counted":   {Failures: true, SlowerThan: time.Millisecond, PerSecond: 3, CountSlow: true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				rec := record(t)
				sys := rec.system(mailbox.WithControl(controlOf(t, sampling.KindConfig{Late: late})), mailbox.WithLogger(nil))
				ref := spawn(t, sys, "worker", do)
				slow := sleepFor(2 * time.Millisecond)
				for range 500 {
					sendSkipped(t, rec, sys, ref, slow)
					time.Sleep(2 * time.Millisecond)
					settle()
				}
				for range 10 {
					sendSkipped(t, rec, sys, ref, fails)
					settle()
				}
				sendSkipped(t, rec, sys, ref, func(ctx context.Context) error {
					_ = slow(ctx)
					panic("seen")
				})
				time.Sleep(2 * time.Millisecond)
				settle()
				seen, failed := 0, 0
				for _, span := range rec.all("worker job") {
					switch {
					case span.Status.Description == "panic: seen":
						seen++
					case span.Status.Code == codes.Error:
						failed++
					}
				}
				assert.Equal(t, 1, seen)
				assert.Equal(t, 3, failed)
				drain(t, sys)
			})
		})
	}
}

// weightOf returns how many recipients span stands for.
func weightOf(t *testing.T, span tracetest.SpanStub) float64 {
	t.Helper()
	if w, ok := attributes(t, span)[keys.FanoutWeight]; ok {
		return w.(float64)
	}
	return 1
}

// The bound is that of the name: of all processes that were spawned by it.
func TestKindsOfOneNameShareTheBoundOfLateSpans(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		sys := rec.system(mailbox.WithControl(controlOf(t, sampling.KindConfig{Late: sampling.Late{Failures: true, PerSecond: 3}})))
		for range 10 {
			sendSkipped(t, rec, sys, spawn(t, sys, "worker", do), fails)
		}
		sendSkipped(t, rec, sys, spawn(t, sys, "clerk", do), fails)
		settle()
		assert.Len(t, rec.all("worker job"), 3)
		assert.Len(t, rec.all("clerk job"), 1)
		assert.EqualValues(t, 7, sys.KindStats()["worker"].LateShed)
		assert.EqualValues(t, 7, sys.Stats().LateShed)
		drain(t, sys)
	})
}

// What is switched off at run time is off for the messages sent from then on.
func TestSwitches(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		rec := record(t)
		control := controlOf(t, sampling.KindConfig{})
		sys := rec.system(mailbox.WithControl(control))
		ref := spawn(t, sys, "worker", do)
		group := newGroup[job](t, sys, "workers", mailbox.WithSampling(sampling.GroupConfig{Curve: sampling.Always()}))
		require.NoError(t, group.Join(ref))
		spans := func() (handlings, users int) {
			rec.spans.Reset()
			ctx, root := rec.start()
			user := func(ctx context.Context) error {
				rec.startSpan(ctx, "user")
				return nil
			}
			require.NoError(t, ref.Send(ctx, user))
			settle()
			group.Broadcast(ctx, user)
			root.End()
			settle()
			for _, span := range rec.all("user") {
				if span.SpanContext.TraceID() == root.SpanContext().TraceID() {
					users++
				}
			}
			return len(rec.all("worker job")), users
		}
		for _, test := range []struct {
			settings         sampling.KindConfig
			handlings, users int
		}{
			{sampling.KindConfig{}, 2, 2},
			{sampling.KindConfig{NoSpans: true}, 0, 2},
			{sampling.KindConfig{Untraced: true}, 0, 0},
			{sampling.KindConfig{}, 2, 2},
		} {
			c := sampling.Config{}
			c.Kinds = map[string]sampling.KindConfig{"worker": test.settings}
			require.NoError(t, control.Set(c))
			handlings, users := spans()
			assert.Equal(t, test.handlings, handlings, "%+v", test.settings)
			assert.Equal(t, test.users, users, "%+v", test.settings)
		}
		drain(t, sys)
	})
}
