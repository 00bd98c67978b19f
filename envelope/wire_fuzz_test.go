// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
)

// expected is what an oracle says of some bytes. Its parsers share nothing with
// the library's: they take their time, and go through a message as its format
// is described.
type expected struct {
	err     error // Nil, or what the error must be; anyError leaves it open.
	wrapped bool
	message string

	ids    string // Trace ID, span ID and flags, empty if there are none.
	state  string
	bag    string
	hops   int // 0 if they do not matter.
	age    time.Duration
	choice int
}

var anyError = errors.New("some error")

// seedWire adds the golden messages and some around them.
func seedWire(f *testing.F, form envelope.Form, more ...string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "wire", "*"))
	require.NoError(f, err)
	for _, file := range files {
		if data, is := golden(f, filepath.Base(file)); is == form {
			f.Add(data)
			f.Add(data[:len(data)-1])
			f.Add(append(data, ' '))
		}
	}
	for _, data := range more {
		f.Add([]byte(data))
	}
}

// assertExpected decodes data and compares the result with what the oracle says.
func assertExpected(t *testing.T, form envelope.Form, data []byte, want expected) {
	t.Helper()
	w := envelope.Wire[string]{Codec: envelope.BytesCodec[string]{}, Form: form, Counters: new(envelope.Counters)}
	before := string(data)
	e, err := w.Decode(data)
	require.Equal(t, before, string(data), "the bytes are the caller's")
	counts := w.Counters.Counts()
	require.Equal(t, want.wrapped, counts.Wrapped == 1)
	require.Equal(t, !want.wrapped, counts.Bare == 1)
	refused := counts.Truncated + counts.Malformed + counts.UnknownVersion + counts.Oversized + counts.Refused
	switch {
	case want.err == anyError: //nolint:errorlint // It is this one and is not returned.
		require.Error(t, err)
	default:
		require.ErrorIs(t, err, want.err)
	}
	if err != nil {
		require.Equal(t, uint64(1), refused)
		return
	}
	require.Zero(t, refused)
	require.Equal(t, want.message, e.Message())
	assertHeader(t, want, e.Header())
}

func assertHeader(t *testing.T, want expected, h *envelope.Header) {
	t.Helper()
	sc := h.SpanContext()
	var ids string
	if sc.IsValid() {
		traceID, spanID := sc.TraceID(), sc.SpanID()
		ids = string(traceID[:]) + string(spanID[:]) + string([]byte{byte(sc.TraceFlags())})
		require.True(t, sc.IsRemote())
	}
	require.Equal(t, want.ids, ids)
	state, err := trace.ParseTraceState(want.state)
	if err != nil || want.ids == "" {
		state = trace.TraceState{}
	}
	require.Equal(t, state.String(), sc.TraceState().String())
	bag, _ := baggage.Parse(want.bag)
	require.ElementsMatch(t, bag.Members(), h.Baggage().Members())
	if !sc.IsSampled() {
		require.Zero(t, h.Hops())
		require.Zero(t, h.SentAt())
		require.False(t, h.Chosen())
		return
	}
	require.False(t, h.SentAt().After(time.Now()))
	require.Equal(t, max(want.hops, 1), h.Hops())
	require.Equal(t, want.age, h.Age())
	require.Equal(t, want.choice > 0, h.Chosen())
	require.Equal(t, want.choice == 2, h.Linked())
}

// binaryOracle reads the binary form from a reader, number by number.
func binaryOracle(data []byte) (want expected) {
	if !bytes.HasPrefix(data, []byte{0xf7, 'W', 'B', 0xf6}) {
		return expected{message: string(data)}
	}
	want.wrapped = true
	r := bytes.NewReader(data[4:])
	var version uint8
	var fieldsSize uint16
	var messageSize uint32
	for _, v := range []any{&version, &fieldsSize, &messageSize} {
		if binary.Read(r, binary.BigEndian, v) != nil {
			want.err = envelope.ErrTruncated
			return want
		}
		if version != 1 {
			want.err = envelope.ErrVersion
			return want
		}
	}
	switch total := int64(fieldsSize) + int64(messageSize); {
	case fieldsSize > envelope.DefaultMaxHeader, messageSize > envelope.DefaultMaxMessage:
		want.err = envelope.ErrOversized
		return want
	case total > int64(r.Len()):
		want.err = envelope.ErrTruncated
		return want
	case total < int64(r.Len()):
		want.err = envelope.ErrMalformed
		return want
	}
	values := map[uint8][]string{}
	fields := io.LimitReader(r, int64(fieldsSize))
	for {
		var kind uint8
		var size uint16
		if err := binary.Read(fields, binary.BigEndian, &kind); errors.Is(err, io.EOF) {
			break
		}
		value := []byte{}
		if binary.Read(fields, binary.BigEndian, &size) == nil {
			value = make([]byte, size)
		} else {
			want.err = envelope.ErrMalformed
			return want
		}
		if _, err := io.ReadFull(fields, value); err != nil {
			want.err = envelope.ErrMalformed
			return want
		}
		if kind >= 128 {
			want.err = envelope.ErrVersion
			return want
		}
		values[kind] = append(values[kind], string(value))
	}
	message, _ := io.ReadAll(r)
	want.message = string(message)
	want.take(values)
	return want
}

// take takes over what values of fields say.
func (e *expected) take(values map[uint8][]string) {
	once := func(kind uint8, size int) (value string, bad bool) {
		all := values[kind]
		if len(all) == 0 {
			return "", false
		}
		return all[0], len(all) > 1 || size >= 0 && len(all[0]) != size
	}
	zero := func(s string) bool { return strings.Trim(s, "\x00") == "" }
	if ids, bad := once(1, 25); ids != "" && !bad && !zero(ids[:16]) && !zero(ids[16:24]) {
		e.ids = ids
	}
	if state, bad := once(2, -1); !bad {
		e.state = state
	}
	if bag, bad := once(3, -1); !bad {
		e.bag = bag
	}
	sent, bad := once(4, 8)
	chain, bad2 := once(5, 12)
	choice, bad3 := once(6, 1)
	if bad || bad2 || bad3 || sent != "" && (zero(sent) || sent[0] >= 128) || choice != "" && (choice < "\x01" || choice > "\x02") {
		return
	}
	if chain != "" {
		hops := binary.BigEndian.Uint32([]byte(chain))
		if hops == 0 || chain[4] >= 128 {
			return
		}
		e.hops = int(min(hops, math.MaxInt32))
		e.age = time.Duration(binary.BigEndian.Uint64([]byte(chain[4:])))
	}
	if choice != "" {
		e.choice = int(choice[0])
	}
}

func FuzzDecodeBinary(f *testing.F) {
	ids := "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x01\x02\x03\x04\x05\x06\x07\x08\x01"
	seedWire(f, envelope.FormBinary, "", "\xf7", "{}", frame(field(1, ids)+field(1, ids), "m"),
		frame(field(3, "a=b"), ""), frame(field(129, "a=b"), ""), frame(field(6, "\x01"), ""))
	f.Fuzz(func(t *testing.T, data []byte) {
		assertExpected(t, envelope.FormBinary, data, binaryOracle(data))
	})
}

// member is one of an object, as a decoder of encoding/json finds it.
type member struct {
	key   string
	value json.RawMessage
}

// members returns those of an object in JSON, repeated ones too; false if data is
// none.
func members(data []byte) (all []member, ok bool) {
	if !json.Valid(data) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		key, err := d.Token()
		var m member
		if err != nil || d.Decode(&m.value) != nil {
			return nil, false
		}
		m.key, _ = key.(string)
		all = append(all, m)
	}
	return all, true
}

// values returns what has a key.
func values(all []member, key string) (found []json.RawMessage) {
	for _, m := range all {
		if m.key == key {
			found = append(found, m.value)
		}
	}
	return found
}

var traceParent = regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$`)

// jsonOracle reads the JSON form by means of encoding/json. What is no JSON it
// leaves open: that may be bare, or wrapped and refused.
func jsonOracle(data []byte) (want expected, ok bool) {
	all, isObject := members(data)
	if !isObject {
		return expected{message: string(data)}, json.Valid(data)
	}
	markers, messages := values(all, "waybill:envelope"), values(all, "message")
	if len(markers) == 0 {
		return expected{message: string(data)}, true
	}
	want.wrapped, want.err = true, anyError
	header, isObject := members(markers[0])
	versions := values(header, "version")
	if len(markers) > 1 || len(messages) != 1 || !isObject || len(versions) != 1 || string(versions[0]) != "1" {
		return want, true
	}
	known := []string{"version", "crit", "traceparent", "tracestate", "baggage", "sent", "hops", "age_ns", "choice"}
	for _, crit := range values(header, "crit") {
		var names []string
		if json.Unmarshal(crit, &names) != nil {
			return want, true
		}
		for _, name := range names {
			if !slices.Contains(known, name) {
				want.err = envelope.ErrVersion
				return want, true
			}
		}
	}
	want.err, want.message = nil, string(messages[0])
	want.take(binaryFields(header))
	return want, true
}

// binaryFields says the same as members of a header in JSON by the fields of the
// binary form, with a wrong one for each that is wrong.
func binaryFields(header []member) map[uint8][]string {
	fields := map[uint8][]string{}
	number := func(raw json.RawMessage, bits int) uint64 {
		n, err := strconv.ParseUint(string(raw), 10, bits)
		if err != nil {
			return math.MaxUint64
		}
		return n
	}
	hops, ages := values(header, "hops"), values(header, "age_ns")
	if len(hops) > 0 || len(ages) > 0 && number(ages[len(ages)-1], 63) > 0 {
		chain := make([]byte, 12)
		if len(hops) > 0 && number(hops[0], 32) <= math.MaxUint32 {
			binary.BigEndian.PutUint32(chain, uint32(number(hops[0], 32)))
		}
		if len(ages) > 0 {
			binary.BigEndian.PutUint64(chain[4:], number(ages[0], 63))
		}
		fields[5] = []string{string(chain)}
	}
	if len(hops) > 1 || len(ages) > 1 {
		fields[5] = []string{"bad"}
	}
	for _, m := range header {
		var text string
		isText := m.value[0] == '"' && json.Unmarshal(m.value, &text) == nil
		switch m.key {
		case "traceparent":
			value := "bad"
			if found := traceParent.FindStringSubmatch(text); isText && found != nil {
				ids, _ := hex.DecodeString(found[1] + found[2] + found[3])
				value = string(ids)
			}
			fields[1] = append(fields[1], value)
		case "tracestate", "baggage":
			kind := map[string]uint8{"tracestate": 2, "baggage": 3}[m.key]
			if fields[kind] = append(fields[kind], text); !isText {
				fields[kind] = append(fields[kind], "bad")
			}
		case "sent":
			value := "bad"
			if sent, err := time.Parse(time.RFC3339Nano, text); err == nil && sent.Year() >= 1970 && sent.Year() < 2262 {
				value = string(binary.BigEndian.AppendUint64(nil, uint64(sent.UnixNano())))
			}
			fields[4] = append(fields[4], value)
		case "choice":
			fields[6] = append(fields[6], map[string]string{"chosen": "\x01", "linked": "\x02"}[text]+strings.Repeat("bad", len(text)%2))
		}
	}
	return fields
}

func FuzzDecodeJSON(f *testing.F) {
	seedWire(f, envelope.FormJSON, "", "{}", "[]", `{"a":"\"waybill:envelope\""}`, `{"waybill:envelope":{}}`,
		marked(`{"version":1,"hops":2,"hops":3}`, `[{}]`), marked(`{"version":1,"crit":["a"]}`, `0`),
		marked(`{"version":1,"age_ns":1}`, `"}"`), marked(`{"version":1}`, `1`)+"x",
		marked(`{"version":1,"tracestate":"a=b","traceparent":"00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01"}`, `{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Contains(data, []byte(`\u`)) && bytes.Contains(data, []byte("waybill:envelope")) || len(data) > envelope.DefaultMaxHeader {
			return // The oracle cannot tell how a key was spelt.
		}
		if bytes.HasPrefix(data, []byte("\xf7WB\xf6")) {
			return // That is for the other target.
		}
		want, known := jsonOracle(data)
		if known && bytes.Contains(data, []byte(`\u`)) && want.wrapped {
			want = expected{message: string(data)}
		}
		if known {
			assertExpected(t, envelope.FormJSON, data, want)
			return
		}
		w := envelope.Wire[string]{Codec: envelope.BytesCodec[string]{}, Form: envelope.FormJSON}
		e, err := w.Decode(data)
		if err == nil {
			assert.Equal(t, string(data), e.Message(), "what is no JSON was unwrapped")
		}
	})
}

// FuzzWireRoundTrip writes any message with any header in both forms, and reads
// the same again.
func FuzzWireRoundTrip(f *testing.F) {
	f.Add([]byte("message"), []byte("0123456789abcdef01234567\x01"), "a=b,c=d", "k", "v;", int64(1e18), byte(2))
	f.Add([]byte{}, []byte("0123456789abcdef01234567\x00"), "", "", "", int64(0), byte(0))
	f.Add([]byte("\xf7WB\xf6\x01"), []byte{}, `a="\`, "k", "\x00\xff", int64(-1), byte(9))
	f.Fuzz(func(t *testing.T, message, ids []byte, state, key, value string, sent int64, hops byte) {
		var sc trace.SpanContext
		if len(ids) >= 25 {
			ts, _ := trace.ParseTraceState(state)
			sc = trace.NewSpanContext(trace.SpanContextConfig{
				TraceID: trace.TraceID(ids), SpanID: trace.SpanID(ids[16:]), TraceFlags: trace.TraceFlags(ids[24]), TraceState: ts,
			})
		}
		ctx := trace.ContextWithSpanContext(t.Context(), sc)
		if m, err := baggage.NewMemberRaw(key, value); err == nil && regexp.MustCompile(`^[a-z]+$`).MatchString(key) {
			if bag, err := baggage.New(m); err == nil {
				ctx = baggage.ContextWithBaggage(ctx, bag)
			}
		}
		h := envelope.Carry{Unsampled: true}.Header(ctx)
		for range hops % 4 {
			h = envelope.Carry{Unsampled: true}.Header(h.Context(t.Context()))
		}
		if hops%8 > 3 {
			h = h.Choose(hops%2 == 0)
		}
		if at := time.Unix(0, sent); at.Unix() > 0 && at.Before(time.Now()) && h.Sampled() {
			h = h.WithSentAt(at)
			h = h.WithSentAt(at.Add(max(0, -h.Age()))) // No age is negative.
		}
		for _, w := range []envelope.Wire[[]byte]{{}, {Form: envelope.FormJSON}, {Codec: envelope.BytesCodec[[]byte]{}}} {
			data, err := w.Append(nil, envelope.WithHeader(message, h))
			require.NoError(t, err)
			e, err := w.Decode(data)
			require.NoError(t, err)
			require.Equal(t, string(message), string(e.Message()))
			if h.SentAt().Before(time.Now()) && h.Age() >= 0 {
				assertTravelled(t, h, e.Header())
			}
			again, err := w.Append(nil, e)
			require.NoError(t, err)
			require.Equal(t, string(data), string(again), "written again, it is the same")
		}
	})
}
