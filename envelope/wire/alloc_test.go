// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
)

// plain is a codec that allocates nothing, so that what a Config allocates shows.
type plain struct{}

func (plain) Append(b []byte, m order) ([]byte, error) { return append(b, '0'+byte(m.ID)), nil }

func (plain) Decode(data []byte) (order, error) { return order{int(data[0] - '0')}, nil }

func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("encoding/json has pools")
	}
	for form, f := range forms {
		for name, c := range map[string]struct {
			e              envelope.Envelope[order]
			encode, decode float64
		}{
			"nothing": {envelope.Bare(order{7}), 0, 0},
			"sampled": {envelope.Wrap(sampledContext(t), order{7}), 0, 1},
		} {
			if form == "JSON" && name == "sampled" {
				c.decode += 2 // traceparent and time, as strings
			}
			for _, wraps := range []bool{true, false} {
				if !wraps {
					c.decode = 0
				}
				w := wire.Config[order]{Codec: plain{}, Form: f, Wrap: func() bool { return wraps }}
				buffer := make([]byte, 0, 1024)
				assert.InDelta(t, c.encode, testing.AllocsPerRun(200, func() {
					buffer, _ = w.Append(buffer[:0], c.e)
				}), 0, "%s, %s, wrapped: %v", form, name, wraps)
				assert.InDelta(t, c.decode, testing.AllocsPerRun(200, func() {
					e, err := w.Decode(buffer)
					if err != nil || e.Message() != (order{7}) {
						panic("not read")
					}
					escaped = e.Header()
				}), 0, "%s, %s, wrapped: %v", form, name, wraps)
			}
		}
	}
}

var escaped *envelope.Header

// Nothing is allocated because of what a size says: refusing it costs an error
// and its text, whatever is claimed.
func TestSizesThatLieAllocateNothing(t *testing.T) {
	const tries, most = 1000, 1024 // bytes a try
	for _, data := range []string{
		"\xf7WB\xf6\x01\xff\xff\x00\x00\x00\x00",
		"\xf7WB\xf6\x01\x00\x00\xff\xff\xff\xff",
		"\xf7WB\xf6\x01\x7f\xff\x03\xff\xff\xff",
		"\xf7WB\xf6\x01\x00\x03\x00\x00\x00\x00\x02\xff\xff",
	} {
		w := newConfig(wire.Binary)
		input := []byte(data)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range tries {
			_, err := w.Decode(input)
			if err == nil {
				t.Fatalf("%q", data)
			}
		}
		runtime.ReadMemStats(&after)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(tries*most), "%q", data)
	}
	// Negative control: the least of those sizes, allocated, would have shown.
	require.Greater(t, 0x7fff, most)
}
