// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package chat

// GuildState is what a guild remembers while it sleeps.
type GuildState struct {
	Seq   int64 // number of the latest message that was fanned out, 0 without any
	Joins int64 // sessions that have joined
	Peak  int64 // most sessions at a time
	Lost  int64 // sessions that ended with [ErrBehind]
}
