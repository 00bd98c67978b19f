// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package header

import "testing"

// ForgetSpanKey has contexts not answer for their spans themselves, until the test ends.
func ForgetSpanKey(t *testing.T) {
	t.Helper()
	key := spanKey
	t.Cleanup(func() { spanKey = key })
	spanKey = nil
}
