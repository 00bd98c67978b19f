// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dashboard is what we need of Grafana's form.
type dashboard struct {
	Panels []struct {
		ID          int    `json:"id"`
		Type        string `json:"type"`
		Title       string `json:"title"`
		Description string `json:"description"`
		GridPos     struct{ H, W, X, Y int }
		FieldConfig struct {
			Defaults struct {
				Unit string `json:"unit"`
			} `json:"defaults"`
		} `json:"fieldConfig"`
		Targets []struct {
			Expr         string `json:"expr"`
			LegendFormat string `json:"legendFormat"`
			Exemplar     bool   `json:"exemplar"`
		} `json:"targets"`
	} `json:"panels"`
	Templating struct {
		List []struct {
			Name       string `json:"name"`
			Type       string `json:"type"`
			Definition string `json:"definition"`
		} `json:"list"`
	} `json:"templating"`
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile("dashboard.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &d))
	require.NotEmpty(t, d.Panels)
	return d
}

var (
	labelValues = regexp.MustCompile(`^label_values\((.*), *(\w+)\)$`)
	legend      = regexp.MustCompile(`\{\{(\w+)\}\}`)
)

// missing says what a query asks for that Prometheus does not have: metrics, and labels of
// metrics. It says too what is no query.
func (s series) missing(query string) (list []string) {
	query = strings.ReplaceAll(query, "$__rate_interval", "5m")
	e, err := metricsql.Parse(query)
	if err != nil {
		return []string{err.Error()}
	}
	metricsql.VisitAll(e, func(e metricsql.Expr) {
		switch e := e.(type) {
		case *metricsql.MetricExpr:
			list = append(list, s.missingOf(e, nil)...)
		case *metricsql.AggrFuncExpr:
			for _, argument := range e.Args {
				metricsql.VisitAll(argument, func(below metricsql.Expr) {
					if m, ok := below.(*metricsql.MetricExpr); ok {
						list = append(list, s.missingOf(m, e.Modifier.Args)...)
					}
				})
			}
		}
	})
	slices.Sort(list)
	return slices.Compact(list)
}

// missingOf says what a selector asks for in vain, and which of the labels its metric has
// not.
func (s series) missingOf(m *metricsql.MetricExpr, labels []string) (list []string) {
	for _, filters := range m.LabelFilterss {
		name := ""
		for _, f := range filters {
			if f.Label == "__name__" {
				name = f.Value
			}
		}
		has, ok := s[name]
		if !ok {
			list = append(list, "no metric "+name)
			continue
		}
		wanted := slices.Clone(labels)
		for _, f := range filters {
			if f.Label != "__name__" {
				wanted = append(wanted, f.Label)
			}
		}
		for _, label := range wanted {
			if !has[label] {
				list = append(list, fmt.Sprintf("no label %s of %s", label, name))
			}
		}
	}
	return list
}

// missingIn says what the queries of a dashboard ask for in vain.
func (s series) missingIn(d dashboard) (list []string) {
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			for _, what := range s.missing(target.Expr) {
				list = append(list, p.Title+": "+what)
			}
		}
	}
	for _, v := range d.Templating.List {
		if v.Type == "datasource" {
			continue
		}
		match := labelValues.FindStringSubmatch(v.Definition)
		if match == nil {
			list = append(list, v.Name+": "+v.Definition)
			continue
		}
		for _, what := range s.missing("count by (" + match[2] + ") (" + match[1] + ")") {
			list = append(list, v.Name+": "+what)
		}
	}
	return list
}

// Every metric and every label that the dashboard asks for is in a scrape of this program.
func TestDashboardAsksForWhatThereIs(t *testing.T) {
	url, d := start(t), readDashboard(t)
	var found series
	require.EventuallyWithT(t, func(t2 *assert.CollectT) {
		found = scrape(t, url)
		assert.Empty(t2, found.missingIn(d))
	}, patience, 50*time.Millisecond)

	for _, change := range []struct{ from, to, want string }{
		{"waybill_mailbox_oldest_seconds", "waybill_mailbox_oldest", "no metric waybill_mailbox_oldest"},
		{"waybill_mailbox_handled_total", "waybill_mailbox_handled", "no metric waybill_mailbox_handled"},
		{"_duration_seconds_bucket", "_duration_bucket", "no metric waybill_mailbox_handling_duration_bucket"},
		{"waybill_mailbox_reason", "reason", "no label reason of waybill_mailbox_failed_total"},
		{`waybill_process_kind=~`, `kind=~`, "no label kind of waybill_mailbox_queued"},
		{"(le, ", "(bucket, ", "no label bucket of waybill_mailbox_handling_duration_seconds_bucket"},
		{"sum by (", "sum by ((", "unparsed"},
	} {
		wrong := readDashboard(t)
		for _, p := range wrong.Panels {
			for i := range p.Targets {
				p.Targets[i].Expr = strings.ReplaceAll(p.Targets[i].Expr, change.from, change.to)
			}
		}
		list := found.missingIn(wrong)
		require.NotEmpty(t, list, change)
		if change.want != "unparsed" {
			assert.Contains(t, strings.Join(list, "\n"), change.want)
		}
	}
	wrong := readDashboard(t)
	wrong.Templating.List[1].Definition = "label_values(waybill_mailbox_processes, kind)"
	assert.Contains(t, found.missingIn(wrong), wrong.Templating.List[1].Name+": no label kind of waybill_mailbox_processes")
}

// So does every alert of the README.
func TestAlertsAskForWhatThereIs(t *testing.T) {
	url := start(t)
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, alerts, found := strings.Cut(string(text), "## Alerts")
	require.True(t, found)
	alerts = strings.Split(alerts, "```")[1]
	queries := strings.Split(strings.TrimSpace(alerts), "\n")
	require.Len(t, queries, 5)
	has := scrape(t, url)
	for _, query := range queries {
		assert.Empty(t, has.missing(query), query)
	}
}

// Each panel says what it shows, has a unit, names its lines by labels that they have, and
// lies beside the others. The histograms of durations show exemplars.
func TestDashboardCanBeRead(t *testing.T) {
	d := readDashboard(t)
	ids, taken, exemplars := make(map[int]bool), make(map[[2]int]string), 0
	for _, p := range d.Panels {
		assert.False(t, ids[p.ID], "%s: an ID twice", p.Title)
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				require.Less(t, x, 24)
				require.Empty(t, taken[[2]int{x, y}], p.Title)
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		assert.NotEmpty(t, p.Description, p.Title)
		assert.NotEmpty(t, p.FieldConfig.Defaults.Unit, p.Title)
		assert.NotEmpty(t, p.Targets, p.Title)
		for _, target := range p.Targets {
			if target.Exemplar {
				exemplars++
			}
			assert.NotEmpty(t, target.LegendFormat, p.Title)
			for _, label := range legend.FindAllStringSubmatch(target.LegendFormat, -1) {
				assert.Regexp(t, `by \([^)]*\b`+label[1]+`\b`, target.Expr, "%s: its lines have no %s", p.Title, label[1])
			}
		}
	}
	assert.GreaterOrEqual(t, exemplars, 4)
}
