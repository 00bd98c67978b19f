// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package traceparent_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/traceparent"
)

const example = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// whole is what the standard says of a traceparent, but for versions and zeros.
var whole = regexp.MustCompile(`(?s)^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$`)

// expected is [traceparent.Check] by that expression.
func expected(s string) (sampled, ok bool) {
	parts := whole.FindStringSubmatch(s)
	if len(parts) == 0 || parts[1] == "ff" || parts[1] == "00" && parts[5] != "" ||
		strings.Trim(parts[2], "0") == "" || strings.Trim(parts[3], "0") == "" {
		return false, false
	}
	return strings.ContainsAny(parts[4][1:], "13579bdf"), true
}

func FuzzTraceparent(f *testing.F) {
	for _, s := range []string{
		"", example, example[:54], example + "-", example + "-more", "01" + example[2:] + "-more", "ff" + example[2:],
		strings.ToUpper(example), strings.Replace(example, "-01", "-ff", 1), strings.ReplaceAll(example, "-", "_"),
		"00-00000000000000000000000000000000-b7ad6b7169203331-00", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		sampled, ok := traceparent.Check(s)
		wantSampled, wantOK := expected(s)
		require.Equal(t, wantOK, ok, "%q", s)
		require.Equal(t, wantSampled, sampled, "%q", s)
		if !ok {
			require.NotEmpty(t, traceparent.Fault(s))
			return
		}
		sc := traceparent.Decode(s, trace.TraceState{})
		require.True(t, sc.IsValid() && sc.IsRemote())
		require.Equal(t, sampled, sc.IsSampled())
		require.Equal(t, s[3:52], sc.TraceID().String()+"-"+sc.SpanID().String())

		written := string(traceparent.Append(nil, sc.TraceID(), sc.SpanID(), sc.TraceFlags()))
		require.Equal(t, s[3:52], written[3:52])
		require.True(t, sc.Equal(traceparent.Decode(written, trace.TraceState{})))
	})
}
