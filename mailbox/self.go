// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import "context"

// Self returns the process whose handler was given ctx, or a context that ctx
// was derived from. It reports false outside of handlers, and for a process
// that takes another type of message.
func Self[M any](ctx context.Context) (Ref[M], bool) {
	p, ok := processOf(ctx).(*process[M])
	return Ref[M]{p}, ok
}
