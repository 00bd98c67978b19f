// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/waybill-go/waybill/mailbox"
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
	for name, spoil := range map[string]func(r *modelRun){
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
				if modelFinds(t, seed, spoil) {
					return
				}
			}
			assert.Fail(t, "not found")
		})
	}
}

// modelFinds reports whether a program finds what spoil brings in.
func modelFinds(t *testing.T, seed int, spoil func(r *modelRun)) (found bool) {
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
			spoil(r)
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

func TestModelCrowdFindsWhatIsWrong(t *testing.T) {
	program := crowdProgram{steps: [][]crowdStep{make([]crowdStep, 10), make([]crowdStep, 10)}}
	for i := range program.settings {
		program.settings[i] = modelSettings{Capacity: 4}
	}
	for _, steps := range program.steps {
		for i := range steps {
			steps[i].Do = crowdSend
		}
	}
	c := newModelCrowd(t, program)
	c.play(t)
	stats := c.sys.Stats()
	require.Empty(t, c.complaints(stats))

	var a *crowdActor // of the slot that all was sent to
	for _, a = range c.actors {
		if len(a.log) > 0 {
			break
		}
	}
	log := a.log
	require.Len(t, log, 20)
	next := 1 + slices.IndexFunc(log[1:], func(m crowdMessage) bool { return m.sender == log[0].sender })
	a.log = slices.Clone(log)
	a.log[0], a.log[next] = log[next], log[0]
	assert.Len(t, c.disorder(), 1, "two are swapped")
	a.log = append(slices.Clone(log), log[0])
	assert.NotEmpty(t, c.disorder(), "one comes twice")
	a.log = log
	require.Empty(t, c.disorder())

	for name, spoil := range map[string]func(s *mailbox.Stats){
		"one is handled once more": func(s *mailbox.Stats) { s.Handled++ },
		"one is lost":              func(s *mailbox.Stats) { s.DeadLetters.Dropped++ },
		"one is not accepted":      func(s *mailbox.Stats) { s.Accepted-- },
		"one is refused":           func(s *mailbox.Stats) { s.Accepted--; s.Refused.Full++ },
	} {
		s := stats
		spoil(&s)
		assert.NotEmpty(t, c.complaints(s), name)
	}
}
