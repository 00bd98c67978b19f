// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package minutes keeps where the time of processes went: for each process and minute, and
// for each type of message, how many there were, how long they took and how long they had
// waited. All of it stays within one number of bytes. Users see it as package timings;
// this package knows nothing of a process but its kind and its ID.
//
// A record is one process in one minute. Records are in shards, each with a lock and a
// part of the bytes. If a shard is full, the record that matters least among a few goes,
// and what it says is added to the sums that each kind has of what was forgotten. So
// the sums of a kind are always complete.
package minutes
