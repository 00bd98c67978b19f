// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"

	"github.com/waybill-go/waybill/internal/header"
)

// CarryPolicy says what a message takes along from its sender's context. The zero value is the
// policy of [NewHeader]: sampled traces and all baggage. Give another one to [Send],
// [TrySend] or [Wrap]:
//
//	err := envelope.Send(ctx, orders, order, envelope.CarryPolicy{Unsampled: true})
type CarryPolicy struct {
	// Unsampled takes the context of unsampled traces along too, for logs that need the
	// true trace ID. It costs one allocation a message.
	Unsampled bool
	// DropUnsampledBaggage leaves the baggage behind if the sender's trace is not sampled.
	// Baggage is the application's data. Drop it only if nothing but traces reads it.
	DropUnsampledBaggage bool
}

// Header returns what p takes from ctx. If ctx is in no trace and has no baggage, the result
// is nil. If p leaves behind all that there is, the result is a header that many messages
// share. Nothing travels with it, except that a receiver starts no trace of its own
// ([WithRootSpans]). In either case nothing is allocated.
func (p CarryPolicy) Header(ctx context.Context) *Header {
	return (*Header)(header.CarryPolicy(p).HeaderWithDecision(ctx))
}

// policyOf returns the policy that was given to a send, the default one if there was none.
func policyOf(carry []CarryPolicy) header.CarryPolicy {
	if len(carry) == 0 {
		return header.CarryPolicy{}
	}
	return header.CarryPolicy(carry[len(carry)-1])
}
