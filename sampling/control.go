// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/waybill-go/waybill/internal/observe"
	"github.com/waybill-go/waybill/internal/spanrate"
)

// Config is all that can be changed while a program runs. It is never
// changed itself: a [Control] exchanges one for another.
type Config struct {
	// Default holds for kinds that are not in Kinds.
	Default KindConfig
	// Kinds holds the settings of kinds of processes, by name.
	Kinds map[string]KindConfig
	// DefaultGroup holds for groups that are not in Groups.
	DefaultGroup GroupConfig
	// Groups holds how many recipients of a broadcast keep the trace, by the
	// name of the group.
	Groups map[string]GroupConfig
}

// DefaultConfig returns the configuration of a program that has no other.
func DefaultConfig() Config { return Config{Default: DefaultKindConfig()} }

func (c Config) validate() error {
	if err := c.Default.validate(); err != nil {
		return fmt.Errorf("default: %w", err)
	}
	for name, s := range c.Kinds {
		if err := s.validate(); err != nil {
			return fmt.Errorf("kind %q: %w", name, err)
		}
	}
	if err := c.DefaultGroup.validate(); err != nil {
		return fmt.Errorf("default group: %w", err)
	}
	for name, g := range c.Groups {
		if err := g.validate(); err != nil {
			return fmt.Errorf("group %q: %w", name, err)
		}
	}
	return nil
}

func (c Config) kind(name string) KindConfig {
	if s, ok := c.Kinds[name]; ok {
		return s
	}
	return c.Default
}

func (c Config) group(name string) GroupConfig {
	if s, ok := c.Groups[name]; ok {
		return s
	}
	return c.DefaultGroup
}

// Control changes a program's configuration while it runs. Kinds and groups hold
// on to what concerns them ([Live]), so that a message costs one atomic load and
// no lock. It may be used by any number of goroutines. It is an http.Handler too.
type Control struct {
	mu      sync.Mutex
	current Config
	kinds   observe.Names[Live[KindConfig]]
	groups  observe.Names[Live[GroupConfig]]
	rates   observe.Names[spanrate.Rate] // of groups
	loads   observe.Names[spanrate.Rate] // of kinds
	metrics observe.Registry
}

// Live is the part of a configuration that concerns one kind or group, as it is
// at any time.
type Live[T any] struct{ now atomic.Pointer[T] }

// Load returns the present settings, which are not to be changed.
func (l *Live[T]) Load() *T { return l.now.Load() }

// NewLive returns settings that nobody changes.
func NewLive[T any](settings T) *Live[T] {
	l := &Live[T]{}
	l.now.Store(&settings)
	return l
}

// NewControl makes a control that begins with c, which it copies. The error
// wraps [ErrSettings].
func NewControl(c Config) (*Control, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	return &Control{current: c.clone()}, nil
}

func (c Config) clone() Config {
	c.Kinds, c.Groups = maps.Clone(c.Kinds), maps.Clone(c.Groups)
	return c
}

// Config returns a copy of the present configuration.
func (c *Control) Config() Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current.clone()
}

// Set changes the whole configuration, or nothing if there is anything wrong
// with next, which it copies. The error wraps [ErrSettings]. Each kind and group
// changes at one moment; messages on their way keep what they carry.
func (c *Control) Set(next Config) error {
	if err := next.validate(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setLocked(next)
	return nil
}

// setIf is Set, on the condition that ok reports of the present configuration.
func (c *Control) setIf(ok func(Config) bool, next Config) (changed bool, err error) {
	if err := next.validate(); err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok(c.current) {
		return false, nil
	}
	c.setLocked(next)
	return true, nil
}

func (c *Control) setLocked(next Config) {
	c.current = next.clone()
	for name, live := range c.kinds.All() {
		s := next.kind(name)
		live.now.Store(&s)
	}
	for name, live := range c.groups.All() {
		s := next.group(name)
		live.now.Store(&s)
	}
}

// Kind returns the settings of the kind of that name, which follow all changes. It
// has the first 1,000 names that are asked for, and those that are in the
// configuration when they are; to all others it gives the settings of the kind
// called others. The same holds for [Control.KindRate], and for groups.
func (c *Control) Kind(name string) *Live[KindConfig] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kinds.Of(name, has(c.current.Kinds, name), func(name string) *Live[KindConfig] { return NewLive(c.current.kind(name)) })
}

// Group returns the sampling of the group of that name, which follows all
// changes.
func (c *Control) Group(name string) *Live[GroupConfig] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.groups.Of(name, has(c.current.Groups, name), func(name string) *Live[GroupConfig] { return NewLive(c.current.group(name)) })
}

// Rate returns the load of the group of that name. All groups of
// one name share it.
func (c *Control) Rate(name string) *spanrate.Rate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rates.Of(name, has(c.current.Groups, name), newLoad)
}

// KindRate returns the load of the kind of that name. All kinds of
// one name share it.
func (c *Control) KindRate(name string) *spanrate.Rate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.loads.Of(name, has(c.current.Kinds, name), newLoad)
}

func newLoad(string) *spanrate.Rate { return &spanrate.Rate{} }

func has[T any](m map[string]T, name string) bool {
	_, ok := m[name]
	return ok
}
