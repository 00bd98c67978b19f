// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package remote lets the processes of package mailbox talk to each other past one machine,
// over NATS. A process on another machine is used like a local one:
//
//	conn, err := nats.Connect(url)
//	node, err := remote.NewNode(sys, conn)
//
//	// Where the process is:
//	served, err := remote.Serve(node, "guild.42", guild, protocol)
//
//	// Anywhere else:
//	guild, err := remote.NewRef(node, "guild", "guild.42", protocol)
//	err = guild.Send(ctx, Publish{Text: "hello"})
//	stats, err := mailbox.Call(ctx, guild, func(r mailbox.Reply[Stats]) GuildMsg { return GetStats{r} })
//
// A [Protocol] says how the messages are written, and which of them are answered:
//
//	protocol := remote.Protocol[GuildMsg]{
//		Codec: remote.Variants(map[string]GuildMsg{"publish": Publish{}, "stats": GetStats{}}),
//		Calls: []remote.CallType[GuildMsg]{
//			remote.Answered[GuildMsg](func(q *GetStats) *mailbox.Reply[Stats] { return &q.reply }, nil),
//		},
//	}
//
// The reference is a [mailbox.Ref]. It refers to a process of this machine, which hands messages
// on. So everything that takes a reference takes it: timers, groups, broadcasts. It has a bounded
// mailbox and counts of its own. Stop, Kill, Done, Err, [mailbox.Watch] and [mailbox.Link] are about
// the process of this machine: the one that it stands for lives on, and may end without it.
//
// # Traces
//
// A message carries its sender's trace and baggage in its headers, as W3C Trace Context and
// Baggage. The handling is the child of the sender's span, whichever machine it is on. It says
// how long the message was on its way and how long it waited in the mailbox, each for itself. A
// plain send makes no span. A call has a span of kind CLIENT here, and its handling one of kind
// SERVER. A message without a trace and without baggage has no headers at all.
//
// # Groups
//
// A [Group] has members on any number of nodes. A broadcast is written once, crosses once to each
// node with members, and is passed on there. How many members are sampled is planned once for
// all nodes, and the weights of their spans stand for the members on all of them.
//
// # What may be lost
//
// A message is handled at most once. The messages of one sender to one subject are handled in
// the order in which they were sent, unless several processes share the subject ([WithQueue]).
//
// A message is lost if the connection breaks while it is on its way, or if it waits for the
// connection to come back and the program ends first; nothing counts that. Everything else that
// keeps a message from being handled is counted ([Node.Stats], [mailbox.Stats]) and told
// ([WithLogger], [mailbox.WithEventHook]). Where that must not happen, see package durable.
//
// A call is different: its caller learns the outcome. It always has a deadline, that of its
// context or that of [Limits]. If it fails with [nats.ErrNoResponders], it was not handled. If it
// fails by its deadline, nobody knows.
//
// # Errors
//
// A call returns an [*Error] if the other machine says what went wrong; errors.Is works on it as
// on an error of a local call. What goes wrong on this machine is an error that names the
// subject. A caller that goes away ends the handler's context on the other machine.
//
// # Strangers
//
// Whoever may publish to a subject that is served can send to it. Messages are bounded before
// they are read ([Limits]). What cannot be read is counted, and answered with an error.
// [WithBoundary] decides what is believed of traces. Permissions of the server of NATS decide
// who may publish: docs/nodes.md lists those that are needed.
//
// # Concurrency and cost
//
// Everything here may be used from any number of goroutines. A send costs what a local one does,
// and the codec and NATS on top. An untraced one takes some 1.1 times as long as with NATS
// alone. A reference takes about 1 KB, and no goroutine while it is idle. What is
// served has one goroutine of NATS's client, and each call that is being answered has one more.
package remote
