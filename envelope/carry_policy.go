// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"

	"github.com/waybill-go/waybill/internal/header"
)

// CarryPolicy says what a message takes along from its sender's context. The zero value is the
// policy of [NewHeader]: sampled traces and all baggage.
type CarryPolicy struct {
	// Unsampled takes the context of unsampled traces along too, for logs that need the
	// true trace ID. It costs one allocation a message.
	Unsampled bool
	// DropUnsampledBaggage leaves the baggage behind if the sender's trace is not sampled.
	// Baggage is the application's data. Drop it only if nothing but traces reads it.
	DropUnsampledBaggage bool
}

// Header returns what p takes from ctx. If that is nothing, the result is nil and nothing is
// allocated.
func (p CarryPolicy) Header(ctx context.Context) *Header {
	return (*Header)(header.CarryPolicy(p).Header(ctx))
}
