// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package guilds_test

import (
	"context"
	"errors"
	"sync"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
)

var errNoStore = errors.New("the store does not answer")

// states is a guilds.Store in memory.
type states struct {
	mu        sync.Mutex
	saved     map[int64]chat.GuildState
	delivered map[int64]int64
	loads     int
	saves     int
	broken    bool // so that it neither loads nor saves
}

func newStates() *states {
	return &states{saved: map[int64]chat.GuildState{}, delivered: map[int64]int64{}}
}

func (s *states) State(_ context.Context, guild int64) (chat.GuildState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return chat.GuildState{}, errNoStore
	}
	s.loads++
	state := s.saved[guild]
	state.Seq = max(state.Seq, s.delivered[guild])
	return state, nil
}

func (s *states) SaveState(_ context.Context, guild int64, state chat.GuildState) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return errNoStore
	}
	s.saves++
	s.saved[guild] = state
	return nil
}

func (s *states) Delivered(guild, seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delivered[guild] = max(s.delivered[guild], seq)
}

// lose forgets what was not saved, as a crash does.
func (s *states) lose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.delivered)
}

func (s *states) breakDown(broken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = broken
}

// counts returns how often states were loaded and saved.
func (s *states) counts() (loads, saves int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loads, s.saves
}

// of returns the state of a guild that was saved last.
func (s *states) of(guild int64) chat.GuildState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.saved[guild]
}
