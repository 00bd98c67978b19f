// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/internal/traces"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	parts := strings.Split(strings.TrimSpace(out.String()), "\n\n")
	require.Len(t, parts, len(hostile)+1, out.String())
	for i, want := range []struct{ arrivedBaggage, link string }{
		{"tenant=acme", ", linked to b7ad6b7169203331"},
		{"-", ", linked to 00f067aa0ba902b7"},
		{"-", ""},
	} {
		part, sent := parts[i], hostile[i].sent
		assert.Regexp(t, `(?m)^  traceparent +`+sent["traceparent"]+` +00-[0-9a-f]{32}-[0-9a-f]{16}-01$`, part, "recorded anyway")
		assert.Regexp(t, `(?m)^  tracestate +`+regexp.QuoteMeta(orNone(sent["tracestate"]))+` +-$`, part)
		assert.Regexp(t, `(?m)^  baggage +`+regexp.QuoteMeta(orNone(sent["baggage"]))+` +`+want.arrivedBaggage+`$`, part)

		arrived := regexp.MustCompile(`00-([0-9a-f]{32})-([0-9a-f]{16})-01$`).FindStringSubmatch(strings.Split(part, "\n")[2])
		require.NotNil(t, arrived, part)
		assert.NotContains(t, sent["traceparent"], arrived[1], "a trace of its own")
		root := regexp.MustCompile(`(?m)^  ([0-9a-f]{16})  edge   GET /hello    a root` + want.link + `$`).FindStringSubmatch(part)
		require.NotNil(t, root, part)
		assert.Contains(t, part, "\n  "+arrived[2]+"  edge   HTTP GET      a child of "+root[1]+"\n")
		assert.Regexp(t, `(?m)^  [0-9a-f]{16}  inner  GET /headers  a child of `+arrived[2]+`$`, part)
	}
	assert.Equal(t, "The boundary counted:\n  callers linked: 2\n  headers refused: 2\n  members dropped: 1", parts[len(hostile)])
}

// The inner service has no boundary: it believes every word. So strangers must not
// reach it.
func TestInnerServiceBelievesWhoeverReachesIt(t *testing.T) {
	recorder := record.New(traces.Config{})
	inner, url, err := serve(t.Context(), newInner(newProvider("inner", recorder)))
	require.NoError(t, err)
	got, err := ask(t.Context(), url+"/headers", hostile[0].sent)
	require.NoError(t, err)
	assert.Equal(t, answer(hostile[0].sent), got)
	require.NoError(t, inner.Shutdown(t.Context()))

	all := recorder.All()
	require.Len(t, all, 1)
	span := recorder.Trace(all[0].ID).Spans[0]
	assert.Equal(t, "b7ad6b7169203331", span.Parent().SpanID().String())
	assert.Equal(t, "waybill=w:1000000;p:0.000001;n:1000000;d:1", span.SpanContext().TraceState().String())
}
