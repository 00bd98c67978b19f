// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = time.Minute

// start runs the program until the test ends, and returns where its metrics are.
func start(t *testing.T) (url string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, "127.0.0.1:0", in) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	go func() { _, _ = io.Copy(io.Discard, out) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-ended)
		assert.NoError(t, in.Close())
		http.DefaultClient.CloseIdleConnections()
	})
	return strings.TrimSpace(strings.TrimPrefix(line, "metrics for Prometheus: "))
}

// get returns what Prometheus gets if it asks for that format.
func get(t *testing.T, url, format string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	request.Header.Set("Accept", format)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body)
}

// series are the labels that the values of a metric have, by the name that a query has.
type series map[string]map[string]bool

// scrape returns the series that Prometheus would have.
func scrape(t *testing.T, url string) series {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(get(t, url, "text/plain; version=0.0.4")))
	require.NoError(t, err)
	found := make(series)
	for name, family := range families {
		names := []string{name}
		if family.GetType() == dto.MetricType_HISTOGRAM {
			names = []string{name + "_bucket", name + "_sum", name + "_count"}
		}
		for _, name := range names {
			labels := map[string]bool{"job": true, "instance": true} // Prometheus adds them.
			for _, m := range family.GetMetric() {
				for _, label := range m.GetLabel() {
					labels[label.GetName()] = true
				}
			}
			if strings.HasSuffix(name, "_bucket") {
				labels["le"] = true
			}
			found[name] = labels
		}
	}
	return found
}

// Exemplars lead from the durations of processes and of channels to traces.
func TestExemplars(t *testing.T) {
	url := start(t)
	exemplar := regexp.MustCompile(`(?m)^(waybill_\w+_bucket)\{.*\} \S+ # \{trace_id="[0-9a-f]{32}",span_id="[0-9a-f]{16}"\} \S+`)
	want := []string{
		"waybill_mailbox_handling_duration_seconds_bucket", "waybill_mailbox_queue_duration_seconds_bucket",
		"waybill_channel_handling_duration_seconds_bucket", "waybill_channel_queue_duration_seconds_bucket",
		"waybill_fanout_size_bucket",
	}
	require.EventuallyWithT(t, func(t2 *assert.CollectT) {
		found := make(map[string]bool)
		text := get(t, url, "application/openmetrics-text; version=1.0.0")
		for _, match := range exemplar.FindAllStringSubmatch(text, -1) {
			found[match[1]] = true
		}
		for _, name := range want {
			assert.True(t2, found[name], name)
		}
	}, patience, 50*time.Millisecond)
}

// The trouble that the program makes shows.
func TestTroubleShows(t *testing.T) {
	url := start(t)
	require.EventuallyWithT(t, func(t2 *assert.CollectT) {
		text := get(t, url, "text/plain; version=0.0.4")
		for _, name := range []string{
			`waybill_mailbox_failed_total{waybill_mailbox_reason="error",waybill_process_kind="guild"}`,
			`waybill_mailbox_refused_total{waybill_mailbox_reason="full",waybill_process_kind="session"}`,
			`waybill_mailbox_slow_total{waybill_process_kind="guild"}`,
			`waybill_mailbox_oldest_seconds{waybill_process_kind="session"}`,
			`waybill_sampling_shed_spans_total{waybill_fanout_group="members"}`,
			`waybill_sampling_roots_refused_total`,
		} {
			assert.Regexp(t2, `(?m)^`+regexp.QuoteMeta(name)+` .*[1-9]`, text)
		}
	}, patience, 50*time.Millisecond)
}

func TestAddressInUse(t *testing.T) {
	url := start(t)
	address, _, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	assert.ErrorContains(t, run(t.Context(), address, io.Discard), "address already in use")
}
