// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox"
)

// BenchmarkRefused sends to a process that takes no more: what an event costs for
// which there is a hook.
func BenchmarkRefused(b *testing.B) {
	for name, opts := range map[string][]mailbox.SystemOption{
		"nobody hears": {mailbox.WithLogger(nil)},
		"a hook":       {mailbox.WithLogger(nil), mailbox.WithEventHook(func(mailbox.Event) {})},
		"a hook for other events": {
			mailbox.WithLogger(nil), mailbox.WithEventHook(func(mailbox.Event) {}, mailbox.ProcessEnded),
		},
	} {
		b.Run(name, func(b *testing.B) {
			ref := spawn(b, newSystem(b, opts...), "worker", do)
			require.NoError(b, ref.Stop(context.Background()))
			b.ReportAllocs()
			for b.Loop() {
				require.ErrorIs(b, ref.Send(context.Background(), nothing), mailbox.ErrStopped)
			}
		})
	}
}
