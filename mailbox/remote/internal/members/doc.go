// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package members keeps what the nodes of a group tell each other: how many members each of
// them has. It has no connection, no goroutine and no clock of its own: whoever has a [Table]
// gives it the announcements of others, sends those that it makes, and tells it the time.
//
// An announcement is a JSON object of at most 1 KiB:
//
//	{"node":"a","session":1799999999000000000,"number":7,"members":1000}
//
// A node sends one when its number of members has changed, at most every 50 ms, and one each
// second as a sign of life. A node that was not heard of for 2.9 s is gone. One that ends says
// so with "leave":true, and one that has begun, or was cut off, has all others announce
// themselves with "ask":true. The session is the time at which the node made its table. It
// tells a node that was started again from the one before, and number tells old announcements
// from new ones. Unknown members of the object are ignored, because a later version may have
// added them.
package members
