// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/internal/envelopetest"
	"github.com/waybill-go/waybill/internal/header"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	spanContext      = envelopetest.SpanContext
	sampledContext   = envelopetest.SampledContext
	unsampledContext = envelopetest.UnsampledContext
	withBaggage      = envelopetest.WithBaggage
	newProvider      = envelopetest.NewProvider
)

// order is the message of most tests.
type order struct{ ID int }

// inner returns h as the packages of this library see it.
func inner(h *envelope.Header) *header.Header { return (*header.Header)(h) }

// with puts message into an envelope that carries h.
func with[M any](message M, h *header.Header) envelope.Envelope[M] {
	return envelope.New(message, (*envelope.Header)(h))
}
