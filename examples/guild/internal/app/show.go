// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/waybill-go/waybill/examples/guild/internal/nodes"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
	"github.com/waybill-go/waybill/examples/internal/report"
	"github.com/waybill-go/waybill/internal/traces"
	"github.com/waybill-go/waybill/internal/traces/explain"
	"github.com/waybill-go/waybill/internal/traces/plain"
	"github.com/waybill-go/waybill/internal/traces/text"
)

// show prints what the run did: one trace, and what sampling saved.
func (r *run) show() {
	totals := r.sums.Finish()
	fmt.Fprintln(r.out)
	r.showTrace()
	fmt.Fprintln(r.out, totals.Fanouts)
	all := r.services.total()
	n := all.Traffic
	r.showLatency(totals, all)
	g := r.services.guilds.Stats()
	fmt.Fprintf(r.out, "guilds:   %d of %d in use, %d passivated, %d restarts\n", g.Processes, r.c.Guilds, g.Passivated, g.Restarts)
	fmt.Fprintf(r.out, "sessions: %d connected, %d messages accepted, %d handled, %d refused, %d dead letters\n",
		n.Sessions, n.Accepted, n.Handled, n.Refused, n.DeadLetters)
	fmt.Fprintln(r.out, r.load.summary())
}

// showTrace prints the slowest trace, because that is the one to ask questions about, and
// says what is slow on purpose.
func (r *run) showTrace() {
	found := slices.DeleteFunc(r.spans.All(), func(s traces.Summary) bool { return s.RootMissing })
	if len(found) == 0 {
		fmt.Fprintln(r.out, "no post was traced")
		return
	}
	slices.SortStableFunc(found, func(a, b traces.Summary) int { return cmp.Compare(a.Duration, b.Duration) })
	slowest := r.spans.Trace(found[len(found)-1].ID)
	if len(found) > 1 {
		fmt.Fprintf(r.out, "The slowest of %d traces; half of them took %s or less.\n",
			len(found), plain.Duration(found[(len(found)-1)/2].Duration))
	}
	if slow := min(r.c.Slow, r.c.Sessions-realClients); slow > 0 && r.c.SlowFor > 0 {
		fmt.Fprintf(r.out, "%d of the %d sessions are slow on purpose: each takes %s for a message (-slow, -slow-for).\n",
			slow, r.c.Sessions, plain.Duration(r.c.SlowFor))
	}
	fmt.Fprintln(r.out)
	look := r.look
	look.LeftOut, look.Did = slowest.LeftOut, explain.FromTimings(r.insight.timings)
	_ = text.Write(r.out, slowest.ID, slowest.Spans, look) // A terminal that has gone does not matter.
	fmt.Fprintln(r.out)
}

// showLatency holds what the few spans of sessions say of all deliveries against
// the truth, which the sessions of all nodes know.
func (r *run) showLatency(totals report.Totals, all nodes.State) {
	l := &totals.Latency
	if l.Spans == 0 {
		return
	}
	if totals.Unobserved > 0 {
		fmt.Fprintf(r.out, "latency: not estimated, for there were %d spans too many\n", totals.Unobserved)
		return
	}
	var truth sessions.Latency
	truth.Add(all.Latency)
	slow := l.Slow.Count()
	of := ""
	if r.c.SampleEnv {
		of = " of the posts that were traced"
	}
	fmt.Fprintf(r.out, "latency, estimated from %d spans of sessions%s, and counted:\n", l.Spans, of)
	fmt.Fprintf(r.out, "          slow deliveries  %-22s  %8d\n", figure(slow.Value, slow.StdErr, ""), all.Traffic.Slow)
	for _, q := range []struct {
		name string
		q    float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		e := l.All.Quantile(q.q)
		fmt.Fprintf(r.out, "          %-15s  %-22s  %8.3f ms\n", q.name, figure(1e3*e.Value, 1e3*e.StdErr, " ms"),
			float64(truth.Quantile(q.q))/float64(time.Millisecond))
	}
}

// figure writes an estimate and its standard error.
func figure(value, stdErr float64, unit string) string {
	if math.IsInf(stdErr, 0) || math.IsNaN(stdErr) {
		return fmt.Sprintf("%8.4g ± ?%s", value, unit)
	}
	return fmt.Sprintf("%8.4g ± %.2g%s", value, stdErr, unit)
}

// invite says what a person can do now.
func (r *run) invite() {
	fmt.Fprintf(r.out, "\nopen http://%[1]s to chat and to cause trouble, or:\n"+
		"  curl -d '{\"author\":\"me\",\"content\":\"hello\"}' http://%[1]s/guilds/1/messages\n"+
		"and the console to see what happens\n"+
		"interrupt to stop\n", r.services.apiAddr)
}

func (r *run) summary() report.Summary {
	all := r.services.total()
	deliveries := all.Sessions
	return report.Summary{
		Posts:        r.services.api.Posts(),
		Sessions:     all.Connected,
		Delivered:    deliveries.Delivered,
		CaughtUp:     deliveries.CaughtUp,
		Gone:         deliveries.Gone,
		Behind:       deliveries.Behind,
		Spans:        int(r.spans.Ended()),
		SpansLeftOut: int(r.spans.LeftOut()),
	}
}
