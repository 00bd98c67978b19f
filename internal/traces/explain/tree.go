// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Node is a span in its place in the tree of a trace.
type Node struct {
	Span sdktrace.ReadOnlySpan
	// Parent is the index of the node above, or -1 if there is none. Depth is the number of nodes
	// above. Below is the number of nodes directly below.
	Parent, Depth, Below int
	// Start and End are the times of the span by the clock of the topmost node. They differ by
	// Skew from what the span says, if that cannot be true because the clocks of two machines
	// differ. End is not before Start.
	Start, End time.Time
	Skew       time.Duration
	// Queue is how long the span's message waited in a mailbox or a channel, and Network how long
	// it was in the network. Both are directly before Start.
	Queue, Network time.Duration
	// Unhandled says that the message was refused, or accepted and never handled. Then the span
	// itself is the wait, and Queue is part of it.
	Unhandled bool
	// ParentMissing says that the span has a parent which is not among the spans, or that its
	// parents lead back to itself.
	ParentMissing bool
	// Failed says that the status of the span is an error.
	Failed bool
	// Restarted says that the process had restarted because of a failure directly before.
	Restarted bool
	// Late is why the span was made late (waybill.late.reason), empty if it was not.
	Late string
	// Kind, ID and Message are the kind and ID of the process and the type of the message. They
	// are empty if the span is of no message to a process.
	Kind, ID, Message string
	// Service is the name of the service that made the span. Origin is the same, but where the
	// spans are of several instances of that service, it has the name of the instance too.
	Service, Origin string
	// Weight is how many recipients the span stands for. It is negative if the span does not say.
	Weight float64
}

// Tree returns the spans depth first: each directly before those below it, which are in the order
// of their starts. A span whose parent is not there is at the top. The order of the input makes no
// difference.
func Tree(spans []sdktrace.ReadOnlySpan) []Node {
	t := plant(spans)
	nodes, place := make([]Node, len(t.order)), make([]int, len(t.order))
	origins := t.origins()
	for n, i := range t.order {
		f := &t.spans[i]
		place[i] = n
		nodes[n] = Node{
			Span: f.span, Parent: none, Depth: t.depth[i], Below: len(t.below[i]),
			Start: t.at(f.start), End: t.at(f.end), Skew: time.Duration(f.skew),
			Queue: time.Duration(f.queue), Network: time.Duration(f.network),
			Unhandled: f.unhandled, ParentMissing: t.orphan[i], Failed: f.failed, Restarted: f.restarted,
			Service: f.from.service, Origin: origins[f.from],
			Late: f.late, Kind: f.kind, ID: f.process, Message: f.message, Weight: f.weight,
		}
		if t.parent[i] != none {
			nodes[n].Parent = place[t.parent[i]]
		}
	}
	return nodes
}
