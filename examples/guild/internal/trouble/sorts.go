// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package trouble

import (
	"fmt"
	"maps"
	"slices"
)

// Name is the name of a sort of trouble.
type Name string

// The sorts of trouble.
const (
	Traffic      Name = "traffic" // No trouble by itself, but without posts nothing shows.
	SlowGuild    Name = "slow-guild"
	SlowSessions Name = "slow-sessions"
	FullMailbox  Name = "full-mailbox"
	PanicSession Name = "panic-session"
	PanicGuild   Name = "panic-guild"
)

// Order says how much trouble there is to be, by the names of settings. For those that
// are left out there are defaults.
type Order map[string]int64

// Names of settings.
const (
	Guild     = "guild"
	DelayMS   = "delay_ms"
	OneIn     = "one_in"
	PerSecond = "per_second"
	Seconds   = "seconds"
)

// Setting is what can be said of a sort of trouble.
type Setting struct {
	Name  string `json:"name"`
	Label string `json:"label"`
	Unit  string `json:"unit,omitempty"`
	Min   int64  `json:"min"`
	Max   int64  `json:"max"`
	Value int64  `json:"value"` // by default
}

// Hint says where trouble shows.
type Hint struct {
	Where string `json:"where"` // the page of the console
	Path  string `json:"path"`  // of that page, in the console
	What  string `json:"what"`
}

// Sort is a sort of trouble.
type Sort struct {
	Name     Name      `json:"name"`
	Title    string    `json:"title"`
	What     string    `json:"what"`
	Settings []Setting `json:"settings"`
	LookFor  []Hint    `json:"look_for"`

	happened func(t *trouble) string // says what has happened
}

var (
	inGuild = Setting{Name: Guild, Label: "Guild", Min: 1, Value: 1} // Max is how many there are.
	during  = Setting{Name: Seconds, Label: "For", Unit: "s", Min: 1, Max: 120, Value: 60}
)

// delay returns the setting of a delay of so many milliseconds by default. Guilds and
// sessions have more time for a message than the longest.
func delay(ms int64) Setting {
	return Setting{Name: DelayMS, Label: "Delay", Unit: "ms", Min: 1, Max: 2000, Value: ms} //nolint:mnd // Two seconds.
}

// sorts are all sorts of trouble, in the order to show them in.
var sorts = []Sort{
	{
		Name: Traffic, Title: "Steady posts",
		What: "Somebody posts all the time. Without posts, no trouble shows.",
		Settings: []Setting{
			inGuild, {Name: PerSecond, Label: "Posts", Unit: "a second", Min: 1, Max: 20, Value: 2}, during,
		},
		LookFor: []Hint{
			{"Traces", "#/traces", "one for each post"},
			{"Sampling", "#/sampling", "a fan-out for each post, and the few recipients that are sampled"},
		},
		happened: counted("post was stored", "posts were stored"),
	},
	{
		Name: SlowGuild, Title: "Make a guild slow",
		What:     "The guild takes longer for each post, and whoever posts waits for it.",
		Settings: []Setting{inGuild, delay(400), during}, //nolint:mnd // It can just keep up with the traffic.
		LookFor: []Hint{
			{"Traces", "#/traces?at_least=100ms", "each takes as long as the delay, and its sentence names the guild"},
			{"Processes", "#/processes/guild", "the guild spends its minute in Publish"},
		},
		happened: counted("post took longer", "posts took longer"),
	},
	{
		Name: SlowSessions, Title: "Make some sessions slow",
		What: "Some sessions take longer for a message than it takes until the next one comes.",
		Settings: []Setting{
			inGuild, {Name: OneIn, Label: "One session in", Min: 1, Max: 10_000, Value: 50}, delay(600), during, //nolint:mnd // Slower than the traffic.
		},
		LookFor: []Hint{
			{"Traces", "#/traces?late=slow", "late spans of sessions that nobody sampled, whose messages wait longer and longer"},
			{"Processes", "#/processes/session", "some are busy all the time; queue wait and the oldest message grow"},
		},
		happened: counted("message took longer", "messages took longer"),
	},
	{
		Name: FullMailbox, Title: "Fill a mailbox",
		What: "The next session that gets a message hangs. Its mailbox fills up and refuses what comes. " +
			"Afterwards the session ends, and its client comes back and catches up.",
		Settings: []Setting{inGuild, during},
		LookFor: []Hint{
			{"Processes", "#/processes/session", "the fullest mailbox is full, the oldest message gets older, messages are refused"},
			{"Traces", "#/traces?late=refused_full", "one recipient of each broadcast refused the message"},
		},
		happened: happenedTo("session %d hangs, with a full mailbox", "session %d hung, with a full mailbox"),
	},
	{
		Name: PanicSession, Title: "Panic a session",
		What: "The next session that gets a message panics, once. Its client comes back, and gets the message " +
			"from the store.",
		Settings: []Setting{inGuild, during},
		LookFor: []Hint{
			{"Traces", "#/traces?failed=true", "a post with a span that failed, which has the stack"},
			{"Processes", "#/processes/session", "a panic, apart from errors"},
		},
		happened: happenedTo("session %d panicked", "session %d panicked"),
	},
	{
		Name: PanicGuild, Title: "Panic a guild",
		What: "The guild panics in the middle of the next post, once. It restarts with its state, and the post " +
			"is sent again.",
		Settings: []Setting{inGuild, during},
		LookFor: []Hint{
			{"Traces", "#/traces?failed=true", "a post with two tries: the first failed, the second waited for the restart"},
			{"Processes", "#/processes/guild", "a panic and a restart"},
		},
		happened: happenedTo("guild %d panicked", "guild %d panicked"),
	},
}

// counted says how often something happened.
func counted(one, more string) func(*trouble) string {
	return func(t *trouble) string {
		if n := t.happened.Load(); n != 1 {
			return fmt.Sprintf("%d %s", n, more)
		}
		return "1 " + one
	}
}

// happenedTo says to whom something happened, in two formats: one while the trouble is on,
// and one when it is over.
func happenedTo(now, over string) func(*trouble) string {
	return func(t *trouble) string {
		switch {
		case t.happened.Load() == 0 && t.ctx.Err() != nil:
			return "there was no post"
		case t.happened.Load() == 0:
			return "it waits for the next post"
		case t.ctx.Err() != nil:
			return fmt.Sprintf(over, t.whom.Load())
		}
		return fmt.Sprintf(now, t.whom.Load())
	}
}

func find(name Name) (Sort, bool) {
	i := slices.IndexFunc(sorts, func(s Sort) bool { return s.Name == name })
	if i < 0 {
		return Sort{}, false
	}
	return sorts[i], true
}

// settings returns those of the sort where there are so many guilds.
func (s *Sort) settings(guilds int) []Setting {
	all := slices.Clone(s.Settings)
	for i := range all {
		if all[i].Name == Guild {
			all[i].Max = int64(guilds)
		}
	}
	return all
}

// complete returns order with all settings. The error wraps [ErrOrder].
func (s *Sort) complete(order Order, guilds int) (Order, error) {
	all := make(Order)
	for _, setting := range s.settings(guilds) {
		value, ok := order[setting.Name]
		if !ok {
			value = setting.Value
		}
		if value < setting.Min || value > setting.Max {
			return nil, fmt.Errorf("%w: %s must be from %d to %d", ErrOrder, setting.Name, setting.Min, setting.Max)
		}
		all[setting.Name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(order)) {
		if _, ok := all[name]; !ok {
			return nil, fmt.Errorf("%w: %s has no %q", ErrOrder, s.Name, name)
		}
	}
	return all, nil
}
