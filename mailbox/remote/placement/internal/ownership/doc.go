// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package ownership decides which node owns a process, one node at a time. It knows
// nothing of processes or messages: a process is an ID here.
//
// Each node that offers to run processes of a kind has a session: a record in a bucket of
// sessions, which the node renews three times per lease. Each owned process has a record in
// a bucket of owners, which names the session. Both change by compare and set only, so the
// store orders all changes.
//
//   - A node acts for what it owns until one lease after it sent its last successful
//     renewal ([Lease]).
//   - Another node that has seen no renewal for one and a quarter leases removes the session,
//     at the revision that it saw last. If that succeeds, no renewal came after it, and none
//     can succeed any more. So the lease that the owner trusts has run out: it sent its last
//     renewal before the other node saw it.
//   - A session that has no record is gone too: its owner has removed it, or another node has in
//     that way. The store may forget after some time that there was one. So who does not know
//     the session of an owner looks it up, and needs no clock for that.
//   - Only then may a record that names the session be given to another node. The revision
//     of the new record is larger than that of all before: it is the fencing token.
//
// This holds for any delay of messages and any pause of nodes, as long as the clocks of both
// nodes measure one lease with an error of less than a quarter. It does not hold for what
// an owner that is paused between a look at its lease and its act does afterwards. That is
// what the token is for.
//
// When a session is gone, each node looks through the records, and takes over what that session
// owned and this node comes first for. It looks again until no record names a session that is
// gone, because others may be gone too before they have taken over their part.
package ownership
