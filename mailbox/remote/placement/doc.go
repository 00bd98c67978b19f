// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package placement runs processes of package mailbox on one of several nodes: whoever asks for
// the process of a kind with an ID gets the same one, wherever it is, and it is started if there
// is none.
//
//	guilds, err := placement.NewKind(ctx, node, js, "guild", protocol, placement.Config[GuildMsg]{
//		Factory: newGuild, // A node without one runs no guilds, and reaches those of others.
//	})
//	guild, err := guilds.GetOrSpawn(ctx, "42")
//	err = guild.Send(ctx, Publish{...})
//
// Who owns what is kept in two buckets of NATS's key-value store. A process stays where it is
// until its node leaves ([Kind.Close]) or is lost. Which node gets it, a rendezvous hash of the ID
// and the nodes decides.
//
// # One owner at a time
//
// A node has a lease, which it renews three times in its duration. It trusts the lease until its
// duration after it sent the last renewal that succeeded, and looks at it before each message, by
// the monotonic clock and the wall clock. Other nodes take it for lost one and a quarter
// durations after they saw its last renewal. They remove it by compare and set, so no renewal
// that they have not seen can have come before, and only then take its processes over. So two
// nodes never act for a process at the same time, whatever the delays, if clocks run at the same
// pace within a quarter. Clocks need not show the same time.
//
// One hole no lease can close: a program may be stopped after it has looked at the lease and before
// it acts, and go on when the lease is over. So what a handler does outside of its process must
// carry its fencing token ([Token]), and the store must refuse a token that is smaller than one
// that it has seen. [State] does that for the state of the process itself.
//
// # What happens to messages
//
// While a process has its owner, messages to it are those of package remote: at most once, in
// order for each sender. When the owner changes:
//
//   - The node leaves in order. What it has accepted it handles, and then it saves the state. What
//     comes meanwhile is handed on to the next owner, in order, and no message is handled twice. Close
//     goes on to hand on until the nodes that run the kind have said that they send no more to it,
//     and nothing has come for a tenth of a lease, or a second if that is shorter; but for no more
//     than a lease. What comes later is lost: from a node that hears of the change more than a lease
//     late, or, if it runs none of these processes, later than that tenth of a lease. Nobody can
//     count it but as what was sent and not received ([remote.Stats]). A
//     sender's message may overtake those of its own that are handed on, when it learns of the
//     next owner; one that awaits an answer before it sends more is safe from that.
//   - The node is lost. What is sent to it is lost until others know, without a trace. Then
//     references wait for the next owner before they send. Calls that reach nobody wait for the
//     next owner, and are sent again, once. Calls that the node may have handled fail with
//     [mailbox.ErrStopped] once it is known to be lost: then nobody knows more.
//   - The node goes on, and has lost its lease. It kills its processes without Save. Messages
//     that waited in their mailboxes are dead letters, and calls among them fail with
//     [mailbox.ErrStopped]. A message that a handler was about to be given counts as failed with
//     [ErrMoved]. If it is a call, its caller's node sends it again, once. What comes later is
//     refused in the same way. The node comes back by itself as a new one.
//
// The state of a process that is taken over is the one that was saved last. A Factory that loads it
// runs when the first message comes.
//
// # Cost
//
// A kind has on each node some ten goroutines, and none for a process or a reference: all processes
// of a node are reached on one subscription with a wildcard, whose subject has the session of the
// node. A subscription for each process would have a goroutine in the client of NATS and an
// entry in every server, and it would go on to receive what is meant for the next owner. One
// goroutine reads and decodes what comes for the kind on a node, and waits for no process: a full
// mailbox refuses what comes from elsewhere. Ten thousand processes on
// three nodes, the references to them and their records in a server, all in one program, take some
// 3 kB each and no goroutine.
package placement
