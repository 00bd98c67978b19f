// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling_test

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/internal/planning"
	"github.com/waybill-go/waybill/sampling"
)

func newControl(t *testing.T) *sampling.Control {
	t.Helper()
	c, err := sampling.NewControl(sampling.Config{})
	require.NoError(t, err)
	return c
}

// ask sends one request to c.
func ask(c *sampling.Control, method, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest(method, "/", strings.NewReader(body)))
	return w
}

func TestLiveSettingsFollow(t *testing.T) {
	c := newControl(t)
	session, guild := cellsOf(c).Kind("session"), cellsOf(c).Kind("guild")
	sessions := cellsOf(c).Group("sessions")
	assert.Equal(t, sampling.KindConfig{}, *session.Load())
	assert.Same(t, session, cellsOf(c).Kind("session"))

	slow := sampling.KindConfig{}
	slow.Late.SlowerThan = time.Second
	next := sampling.Config{}
	next.Default.NoSpans = true
	next.Kinds = map[string]sampling.KindConfig{"session": slow}
	next.Groups = map[string]sampling.GroupConfig{"sessions": {MaxSpans: 7}}
	require.NoError(t, c.Set(next))
	assert.Equal(t, slow, *session.Load())
	assert.True(t, guild.Load().NoSpans)
	assert.Equal(t, 7, sessions.Load().MaxSpans)
	assert.Equal(t, slow, *cellsOf(c).Kind("session").Load())
	assert.Zero(t, cellsOf(c).Group("others").Load().MaxSpans)

	next.Kinds["session"] = sampling.KindConfig{}
	assert.Equal(t, slow, *session.Load(), "it was copied")
	c.Config().Kinds["session"] = sampling.KindConfig{}
	assert.Equal(t, slow, c.Config().Kinds["session"], "so it is when it is shown")

	require.NoError(t, c.Set(sampling.Config{}))
	assert.Equal(t, sampling.KindConfig{}, *session.Load())
}

func TestControlOverHTTP(t *testing.T) {
	c := newControl(t)
	cellsOf(c).Kind("session")
	cellsOf(c).Group("sessions")
	w := ask(c, http.MethodPut, `{
		"kinds": {"session": {"late": {"failures": true, "slower_than": "100ms", "queued_longer_than": "2s", "per_second": 5}}},
		"groups": {"sessions": {"curve": [{"size": 1, "probability": 1}, {"size": 100, "probability": 0.5}], "max_spans": 9}}
	}`)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	session := *cellsOf(c).Kind("session").Load()
	assert.Equal(t, sampling.KindConfig{Late: sampling.Late{
		Failures: true, SlowerThan: 100 * time.Millisecond, QueuedLongerThan: 2 * time.Second, PerSecond: 5,
	}}, session, "what is left out is as by default")
	assert.Equal(t, 9, cellsOf(c).Group("sessions").Load().MaxSpans)
	assert.InDelta(t, 6.47/9, cellsOf(c).Group("sessions").Load().Curve.Probability(9), 0.001)

	shown := ask(c, http.MethodGet, "")
	assert.Equal(t, http.StatusOK, shown.Code)
	assert.Equal(t, "application/json", shown.Header().Get("Content-Type"))
	assert.Equal(t, w.Body.String(), shown.Body.String())
	again := ask(c, http.MethodPut, shown.Body.String())
	require.Equal(t, http.StatusOK, again.Code, "what it shows it takes")
	assert.Equal(t, shown.Body.String(), again.Body.String())
}

func TestControlOfRates(t *testing.T) {
	c := newControl(t)
	w := ask(c, http.MethodPut, `{"groups": {"sessions": {"spans_per_second": 2, "max_spans_per_second": 50}}}`)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	config := *cellsOf(c).Group("sessions").Load()
	assert.InDelta(t, 2, config.SpansPerSecond, 0)
	assert.InDelta(t, 50, config.MaxSpansPerSecond, 0)
	assert.Contains(t, w.Body.String(), `"spans_per_second": 2`)

	w = ask(c, http.MethodPut, `{
		"groups": {"sessions": {"spans_per_second": 2}},
		"kinds": {"sessions": {"spans_per_second": 3, "max_spans_per_second": 30}}
	}`)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	kind := *cellsOf(c).Kind("sessions").Load()
	assert.InDelta(t, 3, kind.SpansPerSecond, 0)
	assert.InDelta(t, 30, kind.MaxSpansPerSecond, 0)
	assert.Contains(t, w.Body.String(), `"max_spans_per_second": 30`)
	kindRate := &cellsOf(c).Kind("sessions").Rate
	assert.Same(t, kindRate, &cellsOf(c).Kind("sessions").Rate)
	assert.NotSame(t, kindRate, &cellsOf(c).Group("sessions").Rate, "a group is no kind")

	rate := &cellsOf(c).Group("sessions").Rate
	assert.Same(t, rate, &cellsOf(c).Group("sessions").Rate, "groups of one name are one load")
	assert.NotSame(t, &cellsOf(c).Group("sessions").Rate, &cellsOf(c).Group("others").Rate)
	planner := planning.Planner{Config: config, Rate: &cellsOf(c).Group("sessions").Rate, Now: time.Minute}
	for range 10 {
		planner.Plan(10_000)
	}
	assert.InEpsilon(t, 10*20.0/110, planner.Plan(10_000).Expected, 1e-6)

	for _, rate := range []float64{-2, -0.5, math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, bad := range []sampling.GroupConfig{{SpansPerSecond: rate}, {MaxSpansPerSecond: rate}} {
			next := sampling.Config{}
			next.DefaultGroup = bad
			require.ErrorIs(t, c.Set(next), sampling.ErrConfig)
			next = sampling.Config{}
			next.Groups = map[string]sampling.GroupConfig{"sessions": bad}
			require.ErrorIs(t, c.Set(next), sampling.ErrConfig)
			require.ErrorContains(t, c.Set(next), `group "sessions"`)
		}
		for _, bad := range []sampling.KindConfig{{SpansPerSecond: rate}, {MaxSpansPerSecond: rate}} {
			next := sampling.Config{}
			next.Kinds = map[string]sampling.KindConfig{"session": bad}
			require.ErrorIs(t, c.Set(next), sampling.ErrConfig)
			require.ErrorContains(t, c.Set(next), `kind "session"`)
		}
	}
	assert.InDelta(t, 2, cellsOf(c).Group("sessions").Load().SpansPerSecond, 0, "nothing changed")
}

func TestBadConfigurationIsRefusedWhole(t *testing.T) {
	for _, test := range []struct{ name, body, reason string }{
		{"no JSON", `on`, "invalid character"},
		{"nothing", ``, "EOF"},
		{"more than one", `{} {}`, "something follows"},
		{"unknown name", `{"kind": {}}`, `unknown field "kind"`},
		{"unknown name inside", `{"default": {"span": true}}`, `unknown field "span"`},
		{"unknown name deep inside", `{"default": {"late": {"fast": true}}}`, `unknown field "fast"`},
		{"a number for a duration", `{"default": {"late": {"slower_than": 3}}}`, "cannot unmarshal"},
		{"no duration", `{"default": {"late": {"slower_than": "3"}}}`, "missing unit"},
		{"negative", `{"default": {"late": {"slower_than": "-3s"}}}`, "negative"},
		{"a kind", `{"kinds": {"good": {}, "bad": {"late": {"queued_longer_than": "-1s"}}}}`, `kind "bad"`},
		{"stratum of nothing", `{"default": {"late": {"count_slow": true}}}`, "none is slow"},
		{"a curve", `{"groups": {"g": {"curve": [{"size": 0, "probability": 1}]}}}`, "size 0 is below 1"},
		{"null", `null`, "null"},
		{"null for a kind", `{"kinds": {"session": null}}`, "null"},
		{"null for a curve", `{"default_group": {"curve": null}}`, ""},
		{"a name twice", `{"default": {}, "default": {"no_spans": true}}`, `"default" is there twice`},
		{"a name twice, in another case", `{"Default": {}, "default": {"no_spans": true}}`, `"default" is there twice`},
		{"a name twice, with another s", `{"default": {"no_spans": true, "no_\u017fpans": true}}`, "is there twice"},
		{"a name twice, with another k", `{"kinds": {}, "\u212ainds": {}}`, "is there twice"},
		{"a kind twice", `{"kinds": {"other": {}, "other": {"no_spans": true}}}`, `"other" is there twice`},
		{"a group twice", `{"groups": {"other": {}, "another": {}, "other": {}}}`, `"other" is there twice`},
		{"a setting twice", `{"kinds": {"other": {"late": {"roots": true, "Roots": false}}}}`, `"Roots" is there twice`},
		{"a number twice", `{"groups": {"kinds": {"max_spans": 1, "MAX_SPANS": 2}}}`, `"MAX_SPANS" is there twice`},
		{"half a point twice", `{"default_group": {"curve": [{"size": 1, "size": 2, "probability": 1}]}}`, `"size" is there twice`},
		{"negative spans", `{"groups": {"g": {"max_spans": -5}}}`, "max_spans is -5"},
		{"a cap below the rate", `{"default_group": {"spans_per_second": 9, "max_spans_per_second": 8}}`, "is below"},
		{"a kind's cap below the rate", `{"default": {"spans_per_second": 9, "max_spans_per_second": 8}}`, "is below"},
		{"too long", `{"kinds": {"` + strings.Repeat("x", 1<<20) + `": {}}}`, "too large"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newControl(t)
			session := cellsOf(c).Kind("session")
			before := session.Load()
			w := ask(c, http.MethodPut, strings.Replace(test.body, `{"default"`, `{"kinds": {"session": {"no_spans": true}}, "default"`, 1))
			assert.GreaterOrEqual(t, w.Code, 400)
			assert.Less(t, w.Code, 500)
			assert.Contains(t, w.Body.String(), test.reason)
			assert.Same(t, before, session.Load(), "nothing has changed")
		})
	}
}

// Users may have named their kinds and groups by case alone.
func TestKindsDifferByCase(t *testing.T) {
	c := newControl(t)
	w := ask(c, http.MethodPut, `{
		"kinds": {"session": {"no_spans": true}, "Session": {"untraced": true}, "kinds": {}, "groups": {}},
		"groups": {"s": {"max_spans": 1}, "S": {"max_spans": 2}}
	}`)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	assert.True(t, cellsOf(c).Kind("session").Load().NoSpans)
	assert.False(t, cellsOf(c).Kind("Session").Load().NoSpans)
	assert.Equal(t, 2, cellsOf(c).Group("S").Load().MaxSpans)
}

func TestControlKnowsItsMethods(t *testing.T) {
	c := newControl(t)
	w := ask(c, http.MethodPost, "{}")
	assert.Equal(t, http.StatusMethodNotAllowed, w.Code)
	assert.Equal(t, "GET, HEAD, PUT", w.Header().Get("Allow"))
	assert.Equal(t, http.StatusOK, ask(c, http.MethodHead, "").Code)
}

func TestSettingsThatMakeNoSense(t *testing.T) {
	bad := sampling.Config{}
	bad.Default.Late.SlowerThan = -1
	_, err := sampling.NewControl(bad)
	require.ErrorIs(t, err, sampling.ErrConfig)
	require.ErrorContains(t, err, "default")
	require.ErrorIs(t, newControl(t).Set(bad), sampling.ErrConfig)
}

// Readers never see half a change, and need no lock.
func TestControlIsSafe(t *testing.T) {
	c := newControl(t)
	live := cellsOf(c).Kind("session")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 200 {
				next := sampling.Config{}
				wait := time.Duration(n*4 + i + 1)
				next.Default.Late = sampling.Late{SlowerThan: wait, QueuedLongerThan: wait}
				assert.NoError(t, c.Set(next))
				cellsOf(c).Kind(fmt.Sprint(n))
				l := live.Load().Late
				assert.Equal(t, l.SlowerThan, l.QueuedLongerThan)
			}
		})
	}
	wg.Wait()
}

func TestLiveCostsNoAllocation(t *testing.T) {
	live := cellsOf(newControl(t)).Kind("session")
	on := 0
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if !live.Load().NoSpans {
			on++
		}
	}))
	assert.NotZero(t, on)
}
