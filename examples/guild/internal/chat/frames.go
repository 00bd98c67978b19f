// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package chat

import "context"

// MaxFrame is how many bytes a frame of a client may have. A post of [MaxContent]
// characters fits in, however it is written.
const MaxFrame = 32 << 10

// Frames takes what one client sends over its WebSocket, one frame after another, and
// returns what to answer to each, nil for nothing. It keeps nothing of frame.
type Frames func(ctx context.Context, frame []byte) (answer []byte)

// Door returns what takes the frames of one client of a guild.
type Door func(guild int64) Frames
