// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package timings_test

import (
	"context"
	"fmt"
	"strconv"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/timings"
	"github.com/waybill-go/waybill/sampling"
)

// Post is a message.
type Post struct{ Text string }

func ExampleNew() {
	control, err := sampling.NewControl(sampling.Config{Kinds: map[string]sampling.KindConfig{"guild": {TimeOneIn: 1}}})
	if err != nil {
		panic(err)
	}
	store := timings.New(timings.Config{})
	sys := mailbox.NewSystem(mailbox.WithControl(control), mailbox.WithTimings(store))

	guilds, err := mailbox.NewKind[Post](sys, "guild")
	if err != nil {
		panic(err)
	}
	for id := 1; id <= 3; id++ {
		guild, err := guilds.Spawn(strconv.Itoa(id), func(context.Context, Post) error { return nil })
		if err != nil {
			panic(err)
		}
		for range id {
			if err := guild.Send(context.Background(), Post{"hello"}); err != nil {
				panic(err)
			}
		}
	}
	if err := sys.Shutdown(context.Background()); err != nil {
		panic(err)
	}

	for _, p := range store.Top(timings.Query{By: timings.ByName, Minutes: 2}).Processes {
		for _, row := range p.Types {
			fmt.Println(p.Kind, p.ID, row.Type, row.Count)
		}
	}
	// Output:
	// guild 1 Post 1
	// guild 2 Post 2
	// guild 3 Post 3
}
