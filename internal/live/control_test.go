// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package live_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/internal/live"
	"github.com/waybill-go/waybill/internal/observe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type config = live.Config[string, int]

func always(config) bool { return true }

func TestCellsFollow(t *testing.T) {
	given := config{Default: "plain", Kinds: map[string]string{"guild": "rare"}, DefaultGroup: 1}
	c := live.New(given)
	given.Kinds["guild"] = "changed"
	guild, session, crowd := c.Kind("guild"), c.Kind("session"), c.Group("crowd")
	assert.Equal(t, "rare", *guild.Load(), "it was copied")
	assert.Equal(t, "plain", *session.Load())
	assert.Equal(t, 1, *crowd.Load())
	assert.Same(t, session, c.Kind("session"))
	assert.Same(t, &session.Rate, &c.Kind("session").Rate, "they share their load")

	next := config{Default: "none", Kinds: map[string]string{"session": "often"}, Groups: map[string]int{"crowd": 7}}
	assert.False(t, c.SetIf(func(present config) bool { return present.Default == "none" }, next))
	assert.Equal(t, "plain", *session.Load(), "nothing has changed")
	assert.True(t, c.SetIf(func(present config) bool { return present.Kinds["guild"] == "rare" }, next))
	assert.Equal(t, "none", *guild.Load())
	assert.Equal(t, "often", *session.Load())
	assert.Equal(t, 7, *crowd.Load())
	assert.Equal(t, 0, *c.Group("other").Load())

	shown := c.Config()
	assert.Equal(t, next, shown)
	shown.Kinds["session"] = "never"
	assert.Equal(t, next, c.Config(), "it is a copy")
}

func TestZeroControlHasTheZeroConfig(t *testing.T) {
	var c live.Control[string, int]
	assert.Empty(t, *c.Kind("guild").Load())
	assert.True(t, c.SetIf(always, config{Default: "rare"}))
	assert.Equal(t, "rare", *c.Kind("guild").Load())
}

func TestNamesThatNobodyHas(t *testing.T) {
	c := live.New(config{})
	c.Kind("guild")
	shown := config{Kinds: map[string]string{"session": "", "guild": "", "chat": ""}, Groups: map[string]int{"guild": 0}}
	kinds, groups := c.Unknown(shown)
	assert.Equal(t, []string{"chat", "session"}, kinds)
	assert.Equal(t, []string{"guild"}, groups, "a kind is no group")
}

func TestGroupsThatDoNotFollow(t *testing.T) {
	c := live.New(config{DefaultGroup: 1})
	crowd, settings := c.Group("crowd"), 7
	c.Group("rest")
	assert.Empty(t, c.FixedGroups())
	assert.Nil(t, crowd.Fixed())
	crowd.Fix(&settings)
	assert.Equal(t, map[string]int{"crowd": 7}, c.FixedGroups())
	assert.True(t, c.SetIf(always, config{DefaultGroup: 2}))
	assert.Equal(t, 7, *c.Group("crowd").Fixed())
	assert.Equal(t, 2, *crowd.Load(), "others of that name follow")
}

func TestTooManyNamesShareOneCell(t *testing.T) {
	c := live.New(config{Default: "plain", Kinds: map[string]string{"known": "rare"}})
	for i := range observe.MaxNames {
		c.Kind(strconv.Itoa(i))
	}
	assert.Same(t, c.Kind("one more"), c.Kind("and another"))
	assert.Same(t, c.Kind("one more"), c.Kind(observe.Others))
	assert.Equal(t, "rare", *c.Kind("known").Load())
	kinds, groups := c.Rates()
	assert.Len(t, kinds, observe.MaxNames+2)
	assert.Same(t, &c.Kind("7").Rate, kinds["7"])
	assert.Empty(t, groups)
}
