// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package tracestate_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/internal/tracestate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var traceID = trace.TraceID{1, 2, 3}

// read reads lines that must be valid.
func read(t testing.TB, lines ...string) tracestate.List {
	t.Helper()
	list, ok := tracestate.Read(lines)
	require.True(t, ok, "%q", lines)
	return list
}

// encode returns what would be sent of a list that nobody has changed.
func encode(list tracestate.List) string {
	value, _ := tracestate.Encode(list.State, list.Beside(traceID))
	return value
}

// text writes members as a header has them.
func text(members []tracestate.Member) string {
	var list []string
	for _, m := range members {
		list = append(list, m.Key+"="+m.Value)
	}
	return strings.Join(list, ",")
}
