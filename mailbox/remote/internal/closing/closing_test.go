// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package closing_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/mailbox/remote/internal/closing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := errors.New("failed")
		taking := func(d time.Duration) func() error {
			return func() error {
				time.Sleep(d)
				return failed
			}
		}
		for _, test := range []struct {
			name              string
			takes, returns, d time.Duration
			want              error
		}{
			{"in time", time.Second, time.Second, 2 * time.Second, failed},
			{"a moment later", 2500 * time.Millisecond, 2500 * time.Millisecond, 2 * time.Second, failed},
			{"not in time", time.Minute, 3 * time.Second, 2 * time.Second, context.DeadlineExceeded},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), test.d)
			begin := time.Now()
			require.ErrorIs(t, closing.Within(ctx, taking(test.takes)), test.want, test.name)
			assert.Equal(t, test.returns, time.Since(begin), test.name)
			cancel()
		}
		require.NoError(t, closing.Within(t.Context(), func() error { return nil }))
		time.Sleep(time.Minute)
	})
}
