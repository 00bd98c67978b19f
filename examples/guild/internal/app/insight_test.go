// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// measured adds up the values of a metric, as the console has it.
func (e *example) measured(name string, attributes ...string) (sum float64) {
	e.t.Helper()
	var all struct {
		Metrics []struct {
			Name   string
			Points []struct {
				Attributes [][2]string
				Value      float64
			}
		}
	}
	e.get(e.ops+"/console/api/metrics", &all)
	for _, metric := range all.Metrics {
		if metric.Name != name {
			continue
		}
		for _, point := range metric.Points {
			of := map[string]string{}
			for _, a := range point.Attributes {
				of[a[0]] = a[1]
			}
			ours := true
			for i := 0; i < len(attributes); i += 2 {
				ours = ours && of[attributes[i]] == attributes[i+1]
			}
			if ours {
				sum += point.Value
			}
		}
	}
	return sum
}

// explained is a trace as the console tells of it.
type explained struct {
	Services    []string
	Explanation struct{ Sentence string }
	Spans       []struct{ Service, Name, Process string }
}

// last waits for the trace of the latest post, and returns what the console tells of it.
func (e *example) last() (trace explained) {
	e.t.Helper()
	var found struct {
		Traces []struct {
			ID       string `json:"trace_id"`
			Services []string
		}
	}
	e.until(func() bool { // The last span of a post may end after its answer.
		e.get(e.ops+"/console/api/traces?limit=1", &found)
		return len(found.Traces) == 1 && len(found.Traces[0].Services) == 3
	})
	e.get(e.ops+"/console/api/traces/"+found.Traces[0].ID, &trace)
	return trace
}

// The console has the traces of all services, what their processes did, and their metrics.
// Prometheus gets the same.
func TestTheConsoleShowsAllServices(t *testing.T) {
	e := start(t, "-sessions", "40", "-slow", "0", "-posts", "3")
	trace := e.last()
	assert.Equal(t, []string{"chat-api", "guild", "session"}, trace.Services)
	assert.NotEmpty(t, trace.Explanation.Sentence)
	assert.EqualValues(t, 41, e.measured("waybill.mailbox.processes"))
	assert.EqualValues(t, 3*40+40, e.measured("waybill.mailbox.accepted", "waybill.process.kind", "session"))

	var minutes struct {
		Processes []struct {
			ID  string
			All struct{ Count, Timed int }
		}
	}
	e.get(e.ops+"/console/api/timings?kind=guild&minutes=2", &minutes)
	require.Len(t, minutes.Processes, 1)
	assert.Equal(t, "1", minutes.Processes[0].ID)
	assert.GreaterOrEqual(t, minutes.Processes[0].All.Timed, 3+40, "all posts and joins")
	assert.Equal(t, minutes.Processes[0].All.Count, minutes.Processes[0].All.Timed)
	resp, err := http.Get("http://" + e.ops + "/metrics")
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	http.DefaultClient.CloseIdleConnections()
	assert.Regexp(t, fmt.Sprintf(`(?m)^waybill_mailbox_accepted_total\{.*waybill_process_kind="session".*\} %d$`, 3*40+40), string(text))
	e.finish()
}
