// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package timings tells what each process does with its minutes: for each process, minute
// and type of message, the share of the minute, the number of messages, the longest
// handling, and how long messages had waited in the mailbox.
//
// A store is given to a system, and the control says what is timed:
//
//	control, err := sampling.NewControl(sampling.Config{Kinds: map[string]sampling.KindConfig{
//		"guild":   {TimeOneIn: 1},    // all messages
//		"session": {TimeOneIn: 1000}, // one in a thousand, at random
//	}})
//	store := timings.New(timings.Config{})
//	sys := mailbox.NewSystem(mailbox.WithControl(control), mailbox.WithTimings(store))
//	operators.Handle("/timings", store)
//
//	for _, p := range store.Top(timings.Query{Kind: "guild", Minutes: 5}).Processes {
//		fmt.Printf("guild %s: %.0f %% of its time\n", p.ID, 100*p.All.Share)
//	}
//
// # What is timed
//
// A handling is timed from its beginning to its end, with all for which the handler
// waits. It is recorded when it ends, also if the handler panics; one that
// goes on does not show yet. Of a process that handles many messages in a row, they are
// recorded with the first that ends after 100 ms. A handling that goes on into another minute gives each minute
// the time that was spent in it, so a process has never more than the whole of a minute.
// The last of these minutes gets all else: the count, the longest, the wait.
//
// The wait is from the sending of the message until its handling begins. It is exact for
// messages with a sampled trace. For others the time of sending may lag by about a
// millisecond, or up to 20 ms on a machine without an idle processor.
//
// If one message in n is timed, at random, it stands for n messages. Then Count, Busy,
// Waited and Share are estimates. They are unbiased, and Timed says on how many messages
// they rest. Longest and LongestWait are of the messages that were timed.
//
// A process is known by its kind and its ID. A restart, or a time without a process of
// that ID, makes no difference. Processes of a kind that have the same ID are one process
// here.
//
// Minutes are those of the wall clock as it was when the store was made, and go on
// evenly from there.
//
// # What is kept
//
// A store keeps an hour at most, and never takes more than its bytes. When they
// are in use, it forgets a minute of a process that was little busy or was long ago. So most
// processes are kept briefly, and the busiest for the whole hour. What is forgotten is
// added to sums of its kind by type, so [Store.Kinds] always tells of all messages.
//
// One process has up to 15 types of messages in a minute, and a kind has up to 32. Further
// ones are together as "others". Kinds beyond some hundred are together too.
//
// # Concurrency and cost
//
// A store may be used by any number of goroutines. What its methods return belongs to the
// caller. Reading looks at all that is kept, one part after the other, and holds up only
// the processes of that part. What is forgotten meanwhile may be missing in the sums of a kind.
//
// Timing a message costs a reading of the clock, 25 to 50 ns, and some 20 ns more where a
// process handles several in a row; the first one in a row costs another reading and some
// 100 ns more, or several times that if its record is in no cache. If a store is
// full of light processes that come and go, a new record costs a few microseconds: time one
// message in n of these. A message that is not timed costs a few nanoseconds if its kind
// times one in n, and a look at a setting otherwise.
package timings
