// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/header"
)

// What is at its bounds already when it arrives stays there as the message is handed
// on.
func TestHopsAndAgeStopAtTheirBoundsOverTheWire(t *testing.T) {
	for form, data := range map[string]string{
		"binary": frame(field(1, wireIDs+"\x01")+field(5, "\x40\x00\x00\x00\x04\x60\x62\x3f\xc8\x5e\x00\x00"), `{"ID":7}`),
		"JSON":   marked(`{"version":1,`+wireParent+`,"hops":1073741824,"age_ns":315360000000000000}`, `{"ID":7}`),
	} {
		t.Run(form, func(t *testing.T) {
			w := newConfig(forms[form])
			e, err := w.Decode([]byte(data))
			require.NoError(t, err)
			h := inner(e.Header())
			for range 3 {
				assert.Equal(t, header.MaxHops, h.Hops())
				assert.Equal(t, header.MaxAge, h.Age())
				h = header.CarryPolicy{}.Header(h.Context(envelope.Untraced(t.Context())))
			}
			assert.Zero(t, w.Counters.Figures().ChainMalformed, "it is what we write ourselves")
		})
	}
}
