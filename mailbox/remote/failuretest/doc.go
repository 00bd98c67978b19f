// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package failuretest tests what happens when machines, links and servers fail: with real
// servers of NATS, and with nodes that are processes of the operating system. These are killed,
// stopped, cut off and let go on in the middle of their work.
//
// The comment of each test states what must hold. Together they say: the system goes on without
// a person; memory stays bounded; every message is handled once, or accounted for with a reason;
// at most one owner acts; and a shutdown ends in time. docs/nodes.md has the same as a table.
//
// The tests need a system that knows the signals of Unix. They take about a minute. With
// WAYBILL_LONG=1 in the environment they do more of everything, and take some minutes.
package failuretest
