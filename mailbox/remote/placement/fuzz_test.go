// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/remote/placement"
)

// Whatever is in the bucket of states, reading it fails with an error or gives what was written.
func FuzzReadState(f *testing.F) {
	f.Add([]byte("wbs1\x00\x00\x00\x00\x00\x00\x00\x07state"))
	f.Add([]byte("wbs1"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, value []byte) {
		token, state, err := placement.ReadState(value)
		if err != nil {
			require.ErrorIs(t, err, placement.ErrForeign)
			return
		}
		require.Equal(t, value, placement.WriteState(token, state))
	})
}
