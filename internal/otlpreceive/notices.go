// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlpreceive

import (
	"fmt"
	"sync"
)

// notices tells the user of what happens, each thing once. The counts tell the rest.
type notices struct {
	say func(string)

	metrics, logs, profiles, mended, rejected, refused sync.Once
}

// tell calls say, unless it was called for that once before.
func (n *notices) tell(once *sync.Once, format string, values ...any) {
	once.Do(func() { n.say(fmt.Sprintf(format, values...)) })
}

// maxQuoted is how much of an error is told, in bytes. It may quote whoever sent the request.
const maxQuoted = 200

// refuse counts a request that is refused.
func (r *Receiver) refuse(why string) {
	r.counts.refused.Add(1)
	r.notices.tell(&r.notices.refused, "A request was refused: %q", why[:min(len(why), maxQuoted)])
}
