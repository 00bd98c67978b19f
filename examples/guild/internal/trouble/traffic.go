// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package trouble

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// maxPosting bounds the posts of the traffic that wait for their answers. People go on
// posting as well while a guild is slow; but not for ever.
const maxPosting = 16

// post posts in a guild, at an even pace, until the trouble ends. Posts that would be
// too many at a time are left out.
func (b *Board) post(t *trouble) {
	pace := time.NewTicker(time.Second / time.Duration(t.order[PerSecond]))
	defer pace.Stop()
	var posting sync.WaitGroup
	defer posting.Wait()
	room := make(chan struct{}, maxPosting)
	failed := sync.OnceFunc(func() {
		b.config.Logger.WarnContext(t.ctx, "posts of the traffic fail", slog.Int64("guild", t.order[Guild]))
	})
	for n := 1; ; n++ {
		select {
		case room <- struct{}{}:
			posting.Go(func() {
				defer func() { <-room }()
				err := b.config.Post(t.ctx, t.order[Guild], fmt.Sprintf("post %d", n))
				if err == nil {
					t.happened.Add(1)
				} else if t.ctx.Err() == nil {
					failed()
				}
			})
		default:
		}
		select {
		case <-pace.C:
		case <-t.ctx.Done():
			return
		}
	}
}
