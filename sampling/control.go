// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import "github.com/waybill-go/waybill/internal/live"

// Control changes a program's configuration while it runs. Kinds and groups of systems
// that have it (mailbox.WithControl) follow it. It may be used by any number of
// goroutines. It is an http.Handler too.
type Control live.Control[KindConfig, GroupConfig]

// cells is a Control as our packages have it.
type cells = live.Control[KindConfig, GroupConfig]

type cellsConfig = live.Config[KindConfig, GroupConfig]

// NewControl makes a control that begins with c, which it copies. The error
// wraps [ErrConfig].
func NewControl(c Config) (*Control, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	return (*Control)(live.New(cellsConfig(c))), nil
}

// Config returns a copy of the present configuration.
func (c *Control) Config() Config { return Config((*cells)(c).Config()) }

// Set changes the whole configuration, or nothing if there is anything wrong
// with next, which it copies. The error wraps [ErrConfig]. Each kind and group
// changes at one moment; messages on their way keep what they carry.
func (c *Control) Set(next Config) error {
	_, err := c.setIf(func(Config) bool { return true }, next)
	return err
}

// setIf is Set, on the condition that ok reports of the present configuration.
func (c *Control) setIf(ok func(Config) bool, next Config) (changed bool, err error) {
	if err := next.validate(); err != nil {
		return false, err
	}
	return (*cells)(c).SetIf(func(present cellsConfig) bool { return ok(Config(present)) }, cellsConfig(next)), nil
}

// Carries returns a function that reports whether messages to the kind of that name carry
// their sender's trace at the moment of the call (see [KindConfig.Untraced]). It lets
// senders without a mailbox follow the control, for example as the Wrap of an
// envelope/wire.Config. A call costs one atomic load and no lock.
func (c *Control) Carries(kind string) func() bool {
	cell := (*cells)(c).Kind(kind)
	return func() bool { return !cell.Load().Untraced }
}
