// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestModelFindsWhatIsWrong runs programs beside a reference that is wrong, or
// lets it see a system that is.
func TestModelFindsWhatIsWrong(t *testing.T) {
	const programs = 20
	seen := func(distort func(s *modelState, log []string)) func(*modelRun) {
		return func(r *modelRun) {
			r.distort = func(s *modelState) {
				for i, log := range s.Logs {
					if len(log) > 1 {
						s.Logs[i] = slices.Clone(log)
						distort(s, s.Logs[i])
						return
					}
				}
			}
		}
	}
	require.False(t, modelFinds(t, 0, func(*modelRun) {}))
	for name, planNext := range map[string]func(r *modelRun){
		"mailboxes hold one more": func(r *modelRun) { r.ref.slack = 1 },
		"mailboxes hold one less": func(r *modelRun) { r.ref.slack = -1 },
		"two are swapped":         seen(func(_ *modelState, log []string) { log[0], log[1] = log[1], log[0] }),
		"one comes twice":         seen(func(_ *modelState, log []string) { log[1] = log[0] }),
		"one is not counted":      seen(func(s *modelState, _ []string) { s.Stats.Handled-- }),
		"one is counted wrongly": seen(func(s *modelState, _ []string) {
			s.Stats.DeadLetters.Killed--
			s.Stats.DeadLetters.Failed++
		}),
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range programs {
				if modelFinds(t, seed, planNext) {
					return
				}
			}
			assert.Fail(t, "not found")
		})
	}
}

// modelFinds reports whether a program finds what planNext brings in.
func modelFinds(t *testing.T, seed int, planNext func(r *modelRun)) (found bool) {
	t.Helper()
	type discovery struct{}
	inBubble(t, func(*testing.T) {
		found = rapid.Custom(func(rt *rapid.T) (found bool) {
			defer func() {
				if recovered := recover(); recovered != nil {
					if _, found = recovered.(discovery); !found {
						panic(recovered)
					}
				}
			}()
			r := newModelRun(rt)
			planNext(r)
			r.play(rt, func() {
				if r.mismatch() != "" {
					panic(discovery{}) // The rest would make no sense.
				}
			})
			return false
		}).Example(seed)
	})
	return found
}
