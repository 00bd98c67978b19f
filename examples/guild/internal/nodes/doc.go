// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package nodes spreads the guild example over several processes of the operating system:
// one guild node, which people start, and session nodes, which it starts. They talk over
// NATS, by package remote.
//
// On the guild node a [Hub] has the connection, the sessions there, and processes that answer
// what session nodes ask. A [Fleet] starts the session nodes and watches them. A session node
// is [Main]: it has a session service of its own, and simulated clients.
//
//	guild ──broadcast──▶ Group, which is a remote.Group ──▶ sessions of every node
//	session ──call──▶ guildServer, on the guild node: guilds and history
//	Fleet ──call──▶ control, on each session node: its clients and counts
//
// What is lost on its way, sessions get from the history: see [Groups].
package nodes
