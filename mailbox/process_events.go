// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
)

// happened tells whoever wants to hear of it.
func (p *process[M]) happened(e Event) {
	if !p.kind.sys.hears(e.Type, e.Err) {
		return
	}
	e.Time, e.Kind, e.ID = time.Now(), p.kind.name, p.id
	if envelope.IsSentinel(e.SpanContext) {
		e.SpanContext = trace.SpanContext{} // It is no trace's.
	}
	if !p.kind.sys.events.Put(queuedEvent{e, p.kind.totals}) {
		atomic.AddUint64(&p.kind.totals.own.Now.EventsLost, 1)
	}
}

// happenedTo is happened for a message, which it describes if anybody wants to hear of it.
func (p *process[M]) happenedTo(s *slot[M], e Event) {
	if !p.kind.sys.hears(e.Type, e.Err) {
		return
	}
	e.Message = p.kind.spans.TypeName(p.typeOf(s))
	if !e.SpanContext.IsValid() {
		e.SpanContext = s.header.SpanContext()
	}
	p.happened(e)
}
