// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"time"

	"github.com/waybill-go/waybill/internal/observe"
)

// pressure is how full the mailboxes of a kind are, and how old what is in them is. A sum
// over all of them would hide one full mailbox among thousands that are empty.
type pressure struct {
	waiting     int     // messages that wait in the fullest mailbox
	utilization float64 // the largest share of its capacity that a mailbox holds
	oldest      int64   // nanoseconds since the sending of the oldest message
}

// fill takes note of a mailbox in which so many messages wait.
func (m *pressure) fill(waiting, capacity int) {
	m.waiting = max(m.waiting, waiting)
	m.utilization = max(m.utilization, float64(waiting)/float64(capacity))
}

// age takes note of a message that was sent at that reading of package clock. 0 is none.
func (m *pressure) age(sent, now int64) {
	if sent != 0 {
		m.oldest = max(m.oldest, now-sent)
	}
}

// pressures are the metrics of pressure.
var pressures = []observe.Field[pressure]{
	observe.NewGauge("waybill.mailbox.fullest", "{message}", "Messages that wait in the fullest mailbox.",
		func(m pressure) float64 { return float64(m.waiting) }),
	observe.NewGauge("waybill.mailbox.utilization", "1", "Largest share of its capacity that a mailbox holds.",
		func(m pressure) float64 { return m.utilization }),
	observe.NewGauge("waybill.mailbox.oldest", "s", "Age of the oldest message that is in a mailbox or being handled.",
		func(m pressure) float64 { return time.Duration(m.oldest).Seconds() }),
}
