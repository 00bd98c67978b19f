// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package broadcast

import (
	"github.com/waybill-go/waybill/internal/fanout"
	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/internal/planning"
)

// Recipients says which recipients of a broadcast are sampled, in the order of their
// positions, and what header each of those gets. One goroutine at a time may use it.
type Recipients struct {
	broadcast *Broadcast
	result    Result // but for what became of the message

	positions []int
	standing  func(i int) fanout.Fanout
	stream    *planning.Stream // instead of both
	shared    map[float64]*header.Header
	next      int // index into positions
}

// Plan chooses from n recipients. The plan's Above is that of b.
func (b *Broadcast) Plan(p planning.Planner, n int) *Recipients {
	p.Above = b.Above
	plan := p.Plan(n)
	return &Recipients{
		broadcast: b, positions: plan.Sampled, standing: plan.Recipient,
		shared: make(map[float64]*header.Header, 1),
		result: Result{Size: plan.Size, Sampled: len(plan.Sampled), Method: "uniform", Shed: plan.Shed},
	}
}

// PlanRelays chooses from relays, of which sizes says how many final recipients each has.
func (b *Broadcast) PlanRelays(p planning.Planner, sizes []int) *Recipients {
	p.Above = b.Above
	plan := p.Relays(sizes)
	return &Recipients{
		broadcast: b, positions: plan.Sampled, standing: plan.Recipient,
		result: Result{
			Size: plan.Size, Sampled: len(plan.Sampled), Method: "systematic", Shed: plan.Shed,
			Relays: true, Budget: plan.Spans,
		},
	}
}

// PlanStream chooses from recipients whose number nobody knows. They may be about so
// many.
func (b *Broadcast) PlanStream(p planning.Planner, about int) *Recipients {
	p.Above = b.Above
	stream := p.Stream(about)
	return &Recipients{
		broadcast: b, stream: stream,
		result: Result{Method: "bernoulli", Shed: stream.Shed},
	}
}

// Position returns where the next recipient is that may be sampled, [planning.Never] if there
// is none.
func (r *Recipients) Position() int {
	switch {
	case r.stream != nil:
		return r.stream.Position()
	case r.next == len(r.positions):
		return planning.Never
	default:
		return r.positions[r.next]
	}
}

// Reach says that there is a recipient at Position, and reports whether it is sampled. If
// not, there is another Position. Only those of a stream may not be.
func (r *Recipients) Reach() bool { return r.stream == nil || r.stream.Reach() }

// Header returns the header of the sampled recipient at Position, and what that stands for. It
// goes on to the next.
func (r *Recipients) Header() (*header.Header, fanout.Fanout) {
	if r.stream != nil {
		f := r.stream.Recipient()
		r.stream.Advance()
		return r.broadcast.Sampled(f), f
	}
	f := r.standing(r.next)
	r.next++
	if r.shared == nil {
		return r.broadcast.Sampled(f), f
	}
	h, ok := r.shared[f.Probability]
	if !ok {
		h = r.broadcast.Sampled(f)
		r.shared[f.Probability] = h
	}
	return h, f
}

// Cut takes away the recipients before that position, and returns them. Another goroutine
// may use them. From a stream it begins another one, with the same probability, whose
// positions begin at 0.
func (r *Recipients) Cut(position int) *Recipients {
	part := *r
	if r.stream != nil {
		part.stream = r.stream.Again()
		return &part
	}
	if r.shared != nil {
		part.shared = make(map[float64]*header.Header, 1)
	}
	for r.Position() < position {
		r.next++
	}
	part.positions = r.positions[:r.next]
	return &part
}

// Describe writes what became of the message onto the broadcast's span. Of a stream, size
// says how many recipients there were, and sampled how many of them were.
func (r *Recipients) Describe(size, sampled, delivered, refused int) {
	result := r.result
	switch {
	case r.stream != nil: // Also if all happen to be sampled: their weights are not 1.
		result.Size, result.Sampled = size, sampled
	case result.Sampled == result.Size:
		result.Method = "all"
	}
	result.Delivered, result.Refused = delivered, refused
	r.broadcast.Describe(result)
}

// Sampled returns how many recipients are sampled. Of a stream nobody knows.
func (r *Recipients) Sampled() int { return r.result.Sampled }
