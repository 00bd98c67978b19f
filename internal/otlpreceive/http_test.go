// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlpreceive_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/waybill-go/waybill/internal/otlpreceive"
)

// Content types.
const (
	typeProto = "application/x-protobuf"
	typeJSON  = "application/json"
)

// oneSpan returns traces of one span with a name.
func oneSpan(name string) ptrace.Traces {
	traces := ptrace.NewTraces()
	span := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID(pcommon.TraceID{1})
	span.SetSpanID(pcommon.SpanID{2})
	span.SetName(name)
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Unix(1_700_000_000, 0)))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(time.Unix(1_700_000_001, 0)))
	return traces
}

func asProto(t testing.TB, traces ptrace.Traces) []byte {
	t.Helper()
	body, err := new(ptrace.ProtoMarshaler).MarshalTraces(traces)
	require.NoError(t, err)
	return body
}

func asJSON(t testing.TB, traces ptrace.Traces) []byte {
	t.Helper()
	body, err := new(ptrace.JSONMarshaler).MarshalTraces(traces)
	require.NoError(t, err)
	return body
}

func zipped(t testing.TB, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

// answer is what a server has answered.
type answer struct {
	code   int
	header http.Header
	body   []byte
}

// post posts body with headers, which are names and values in turn.
func post(t testing.TB, url string, body io.Reader, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	if !assert.NoError(t, err) {
		return answer{}
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		}
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if !assert.NoError(t, err) {
		return answer{}
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	assert.NoError(t, err)
	return answer{response.StatusCode, response.Header, all}
}

func TestAnswersHaveTheEncodingOfTheRequest(t *testing.T) {
	var kept sink
	url := serveHTTP(t, otlpreceive.New(kept.take, quiet)).URL + "/v1/traces"
	got := post(t, url, bytes.NewReader(asProto(t, oneSpan("a"))), "Content-Type", typeProto)
	assert.Equal(t, http.StatusOK, got.code)
	assert.Equal(t, typeProto, got.header.Get("Content-Type"))
	assert.Equal(t, []byte{0x0a, 0}, got.body, "an ExportTraceServiceResponse with an empty partial success")
	got = post(t, url, bytes.NewReader(asJSON(t, oneSpan("b"))), "Content-Type", typeJSON+"; charset=utf-8")
	assert.Equal(t, http.StatusOK, got.code)
	assert.Contains(t, got.header.Get("Content-Type"), typeJSON)
	assert.JSONEq(t, `{"partialSuccess":{}}`, string(got.body))
	got = post(t, url, bytes.NewReader(zipped(t, asJSON(t, oneSpan("c")))), "Content-Type", typeJSON, "Content-Encoding", "gzip")
	assert.Equal(t, http.StatusOK, got.code)
	require.Len(t, kept.all(), 3)
	for i, name := range []string{"a", "b", "c"} {
		assert.Equal(t, name, kept.all()[i].Name())
	}
}

func TestMetricsAndLogsAreThrownAway(t *testing.T) {
	r := otlpreceive.New(func([]sdkSpan) { t.Error("these are no spans") }, quiet)
	url := serveHTTP(t, r).URL
	for _, path := range []string{"/v1/metrics", "/v1/logs", "/v1development/profiles"} {
		got := post(t, url+path, strings.NewReader("anything"), "Content-Type", typeProto)
		assert.Equal(t, http.StatusOK, got.code)
		assert.Empty(t, got.body)
		got = post(t, url+path, strings.NewReader("{}"), "Content-Type", typeJSON)
		assert.Equal(t, http.StatusOK, got.code)
		assert.Equal(t, "{}", string(got.body))
	}
	assert.Equal(t, otlpreceive.Counts{Metrics: 2, Logs: 2, Profiles: 2}, r.Counts())
}

// TestPagesAreKeptOut sends what a page can make a browser send.
func TestPagesAreKeptOut(t *testing.T) {
	r := otlpreceive.New(func([]sdkSpan) { t.Error("a page has sent a span") }, quiet)
	url := serveHTTP(t, r).URL + "/v1/traces"
	body := asJSON(t, oneSpan("of a page"))
	refused := 0
	for name, test := range map[string]struct {
		headers []string
		want    int
	}{
		"a form":             {[]string{"Content-Type", "application/x-www-form-urlencoded"}, http.StatusUnsupportedMediaType},
		"plain text":         {[]string{"Content-Type", "text/plain"}, http.StatusUnsupportedMediaType},
		"a form with parts":  {[]string{"Content-Type", "multipart/form-data; boundary=x"}, http.StatusUnsupportedMediaType},
		"no type":            {nil, http.StatusUnsupportedMediaType},
		"a malformed type":   {[]string{"Content-Type", ";;"}, http.StatusUnsupportedMediaType},
		"another site":       {[]string{"Content-Type", typeJSON, "Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		"another port":       {[]string{"Content-Type", typeJSON, "Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
		"another origin":     {[]string{"Content-Type", typeJSON, "Origin", "https://example.com"}, http.StatusForbidden},
		"an opaque origin":   {[]string{"Content-Type", typeJSON, "Origin", "null"}, http.StatusForbidden},
		"the same origin":    {[]string{"Content-Type", typeJSON, "Origin", strings.TrimSuffix(url, "/v1/traces")}, http.StatusForbidden},
		"a rebound name":     {[]string{"Content-Type", typeJSON, "Host", "example.com"}, http.StatusForbidden},
		"a rebound name too": {[]string{"Content-Type", typeProto, "Host", "example.com:4318", "Sec-Fetch-Site", "same-origin"}, http.StatusForbidden},
	} {
		got := post(t, url, bytes.NewReader(body), test.headers...)
		assert.Equal(t, test.want, got.code, name)
		assert.Empty(t, got.header.Get("Access-Control-Allow-Origin"), name)
		refused++
	}
	assert.Equal(t, otlpreceive.Counts{Refused: int64(refused)}, r.Counts())

	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodOptions, http.MethodHead} {
		request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		response.Body.Close()
		assert.GreaterOrEqual(t, response.StatusCode, 400, method)
		assert.Empty(t, response.Header.Get("Access-Control-Allow-Origin"), method)
	}
}

func TestRequestsBeyondTheLimitsAreRefused(t *testing.T) {
	r := otlpreceive.New(func([]sdkSpan) { t.Error("a hostile request was taken") }, quiet)
	r.SetPatience(time.Minute, time.Minute)
	url := serveHTTP(t, r).URL + "/v1/traces"
	long := asJSON(t, oneSpan(strings.Repeat("n", otlpreceive.MaxRequest)))
	valid := asProto(t, oneSpan("a"))
	for name, test := range map[string]struct {
		body    io.Reader
		headers []string
		want    int
	}{
		"long":             {bytes.NewReader(long), []string{"Content-Type", typeJSON}, http.StatusRequestEntityTooLarge},
		"long and chunked": {io.MultiReader(bytes.NewReader(long)), []string{"Content-Type", typeJSON}, http.StatusRequestEntityTooLarge},
		"a bomb": {
			bytes.NewReader(zipped(t, make([]byte, 40<<20))),
			[]string{"Content-Type", typeProto, "Content-Encoding", "gzip"}, http.StatusRequestEntityTooLarge,
		},
		"large in memory": {
			bytes.NewReader(asProto(t, manySpans(100_000))), []string{"Content-Type", typeProto}, http.StatusRequestEntityTooLarge,
		},
		"not zipped":        {bytes.NewReader(valid), []string{"Content-Type", typeProto, "Content-Encoding", "gzip"}, http.StatusBadRequest},
		"cut off":           {bytes.NewReader(zipped(t, valid)[:20]), []string{"Content-Type", typeProto, "Content-Encoding", "gzip"}, http.StatusBadRequest},
		"malformed":         {strings.NewReader("\xff\xff"), []string{"Content-Type", typeProto}, http.StatusBadRequest},
		"malformed JSON":    {strings.NewReader(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"\xff"}]}]}]}`), []string{"Content-Type", typeJSON}, http.StatusBadRequest},
		"another encoding":  {bytes.NewReader(valid), []string{"Content-Type", typeProto, "Content-Encoding", "br"}, http.StatusUnsupportedMediaType},
		"several encodings": {bytes.NewReader(valid), []string{"Content-Type", typeProto, "Content-Encoding", "gzip, gzip"}, http.StatusUnsupportedMediaType},
	} {
		got := post(t, url, test.body, test.headers...)
		assert.Equal(t, test.want, got.code, name)
		if test.want == http.StatusUnsupportedMediaType {
			continue
		}
		var why statuspb.Status
		read := proto.Unmarshal
		if test.headers[1] == typeJSON {
			read = protojson.Unmarshal
		}
		assert.NoError(t, read(got.body, &why), name)
		assert.NotEmpty(t, why.GetMessage(), name)
		assert.NotEqual(t, codes.OK, codes.Code(why.GetCode()), name)
	}
	assert.EqualValues(t, 10, r.Counts().Refused)
}

// manySpans returns traces of n empty spans.
func manySpans(n int) ptrace.Traces {
	traces := ptrace.NewTraces()
	spans := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for range n {
		spans.AppendEmpty()
	}
	return traces
}

// TestSlowRequestsEnd lets requests arrive that never end, and sends one beside them.
func TestSlowRequestsEnd(t *testing.T) {
	r := otlpreceive.New(func([]sdkSpan) {}, quiet)
	r.SetPatience(50*time.Millisecond, 2*time.Second)
	url := serveHTTP(t, r).URL + "/v1/traces"
	begun, release := make(chan struct{}, otlpreceive.MaxReading), make(chan struct{})
	codes := make(chan int, otlpreceive.MaxReading)
	for range otlpreceive.MaxReading {
		go func() {
			got := post(t, url, &slow{begun: begun, release: release}, "Content-Type", typeProto)
			codes <- got.code
		}()
	}
	for range otlpreceive.MaxReading {
		<-begun
	}
	assert.Eventually(t, func() bool {
		got := post(t, url, bytes.NewReader(asProto(t, oneSpan("a"))), "Content-Type", typeProto)
		return got.code == http.StatusServiceUnavailable && got.header.Get("Retry-After") != ""
	}, time.Minute, 10*time.Millisecond, "the places are taken")
	for range otlpreceive.MaxReading {
		assert.Equal(t, http.StatusRequestTimeout, <-codes)
	}
	close(release)
	got := post(t, url, bytes.NewReader(asProto(t, oneSpan("a"))), "Content-Type", typeProto)
	assert.Equal(t, http.StatusOK, got.code, "the places are free again")
}

// slow is a body that does not end until it is released.
type slow struct {
	begun, release chan struct{}
	told           bool
}

func (s *slow) Read(p []byte) (int, error) {
	if !s.told {
		s.told = true
		s.begun <- struct{}{}
		return copy(p, "\x0a"), nil
	}
	<-s.release
	return 0, io.EOF
}

func TestOtherPathsSayWhatThisIs(t *testing.T) {
	server := httptest.NewServer(otlpreceive.New(nil, quiet).HTTP())
	defer server.Close()
	got := post(t, server.URL+"/", strings.NewReader(""), "Content-Type", typeProto)
	assert.Equal(t, http.StatusNotFound, got.code)
	assert.Contains(t, string(got.body), "/v1/traces")
}
