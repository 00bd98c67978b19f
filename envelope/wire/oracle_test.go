// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-go/waybill/envelope/wire"
)

// expected is what an oracle says of some bytes. Its parsers share nothing with
// the library's: they take their time, and go through a message as its format
// is described.
type expected struct {
	err     error // Nil, or what the error must be; errAny leaves it open.
	wrapped bool
	message string

	ids    string // Trace ID, span ID and flags, empty if there are none.
	state  string
	bag    string
	hops   int // 0 if they do not matter.
	age    time.Duration
	fanout int
}

var errAny = errors.New("some error")

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
			want.err = wire.ErrTruncated
			return want
		}
		if version != 1 {
			want.err = wire.ErrVersion
			return want
		}
	}
	switch total := int64(fieldsSize) + int64(messageSize); {
	case fieldsSize > defaultMaxHeader, messageSize > defaultMaxMessage:
		want.err = wire.ErrOversized
		return want
	case total > int64(r.Len()):
		want.err = wire.ErrTruncated
		return want
	case total < int64(r.Len()):
		want.err = wire.ErrMalformed
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
		if binary.Read(fields, binary.BigEndian, &size) != nil {
			want.err = wire.ErrMalformed
			return want
		}
		value := make([]byte, size)
		if _, err := io.ReadFull(fields, value); err != nil {
			want.err = wire.ErrMalformed
			return want
		}
		if kind >= 128 {
			want.err = wire.ErrVersion
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
		e.ids = ids[:24] + string([]byte{ids[24] & 3})
	}
	if state, bad := once(2, -1); !bad {
		e.state = state
	}
	if bag, bad := once(3, -1); !bad {
		e.bag = bag
	}
	sent, bad := once(4, 8)
	chain, bad2 := once(5, 12)
	fanout, bad3 := once(6, 1)
	if bad || bad2 || bad3 || sent != "" && (zero(sent) || sent[0] >= 128) || fanout != "" && (fanout < "\x01" || fanout > "\x02") {
		return
	}
	if chain != "" {
		hops := binary.BigEndian.Uint32([]byte(chain))
		if hops == 0 || chain[4] >= 128 {
			return
		}
		e.hops = int(min(hops, 1<<30))
		e.age = min(time.Duration(binary.BigEndian.Uint64([]byte(chain[4:]))), 3650*24*time.Hour)
	}
	if fanout != "" {
		e.fanout = int(fanout[0])
	}
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

var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]([01]\d|2[0-3]):[0-5]\d)$`)

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
	want.wrapped, want.err = true, errAny
	header, isObject := members(markers[0])
	versions := values(header, "version")
	if len(markers) > 1 || len(messages) != 1 || !isObject || len(versions) != 1 || string(versions[0]) != "1" {
		return want, true
	}
	known := []string{"version", "crit", "traceparent", "tracestate", "baggage", "sent", "hops", "age_ns", "fanout"}
	for _, crit := range values(header, "crit") {
		var names []string
		if json.Unmarshal(crit, &names) != nil {
			return want, true
		}
		for _, name := range names {
			if !slices.Contains(known, name) {
				want.err = wire.ErrVersion
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
			if sent, err := time.Parse(time.RFC3339Nano, text); err == nil && rfc3339.MatchString(text) && sent.Year() >= 1970 && sent.Year() < 2262 {
				value = string(binary.BigEndian.AppendUint64(nil, uint64(sent.UnixNano())))
			}
			fields[4] = append(fields[4], value)
		case "fanout":
			fields[6] = append(fields[6], map[string]string{"sampled": "\x01", "linked": "\x02"}[text]+strings.Repeat("bad", len(text)%2))
		}
	}
	return fields
}
