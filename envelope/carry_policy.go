// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"

	"github.com/waybill-go/waybill/internal/header"
)

// CarryPolicy says what a message takes along from its sender's context. The zero
// value is the default, which is that of [NewHeader]: sampled traces and all baggage.
type CarryPolicy struct {
	// Unsampled takes the context of unsampled traces along too, for logs that
	// want the true trace ID. It costs one allocation a message.
	Unsampled bool
	// DropUnsampledBaggage leaves the baggage behind where the sender's trace
	// is not sampled. Baggage is the application's data: drop it only where
	// nothing but traces reads it.
	DropUnsampledBaggage bool
}

// Header returns what p takes from ctx: nil, and no allocation, if that is
// nothing.
func (p CarryPolicy) Header(ctx context.Context) *Header {
	return (*Header)(header.CarryPolicy(p).Header(ctx))
}
