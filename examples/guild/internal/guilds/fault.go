// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package guilds

import "github.com/waybill-go/waybill/examples/guild/internal/chat"

// Fault is the content of a message that makes its guild fail, where that is allowed.
const Fault = "!panic"

// failOnPurpose panics because of such a message, at the worst time: sessions have got
// it, and nobody knows. It does so once for each, as a fault does that a restart cures.
func (g *guild) failOnPurpose(m *chat.MessageCreate) {
	if g.faults && m.Content == Fault && m.Seq > g.failedOn {
		g.failedOn = m.Seq
		panic("a post asked for it")
	}
}
