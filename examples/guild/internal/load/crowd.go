// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package load

// Reached is how far the clients of one guild have come.
type Reached struct {
	Guild int   `json:"guild"`
	All   int64 `json:"all"` // number of the latest message that each of them has
}

// Reached returns how far the clients have come, guild by guild where there are some.
func (l *Ledger) Reached() (all []Reached) {
	for guild := 1; guild < len(l.guilds); guild++ {
		a := &l.guilds[guild]
		a.mu.Lock()
		if a.clients > 0 {
			all = append(all, Reached{guild, a.all})
		}
		a.mu.Unlock()
	}
	return all
}

// Crowd is clients of one guild that are in another process of the operating system, whose
// own ledger knows how far they have come. To ours they are one client. It is for one
// goroutine at a time.
type Crowd struct {
	ledger *Ledger
	guild  int
	all    int64
}

// Crowd adds clients that all have the messages of their guild up to number all.
func (l *Ledger) Crowd(guild int, all int64) *Crowd {
	l.enter(guild, all)
	return &Crowd{l, guild, all}
}

// Reach takes note that all of them have the messages up to number all.
func (c *Crowd) Reach(all int64) {
	if all <= c.all {
		return
	}
	c.ledger.change(c.guild, func(a *account) {
		for c.all < all {
			c.all++
			a.reach(c.all)
		}
	})
}

// Leave takes note that they are gone.
func (c *Crowd) Leave() {
	c.ledger.change(c.guild, func(a *account) {
		a.clients--
		for seq := a.all + 1; seq <= c.all; seq++ {
			a.reached[seq-a.all-1]--
		}
		if a.clients > 0 {
			a.settle()
		}
	})
}
