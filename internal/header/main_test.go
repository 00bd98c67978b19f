// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/internal/envelopetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	spanContext      = envelopetest.SpanContext
	sampledContext   = envelopetest.SampledContext
	unsampledContext = envelopetest.UnsampledContext
	withBaggage      = envelopetest.WithBaggage
	withTraceState   = envelopetest.WithTraceState
	whole            = envelopetest.WholeTraceState
)
