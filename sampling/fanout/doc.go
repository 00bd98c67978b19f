// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package fanout traces one message to many recipients, over any transport: the channels of
// a hub, connections, or the subjects of a broker. It samples the recipients as package
// sampling says, so that a message to 10,000 clients leaves the spans of about ten, each of
// which says how many clients it stands for.
//
// The hub stays as it is. Its channels carry envelopes. What it receives has a context of its
// own, in which it broadcasts, and the header of each client's envelope comes from the
// broadcast:
//
//	chat, err := fanout.New("chat")
//
//	ctx, event := post.Unwrap(ctx)
//	b := chat.Begin(ctx, len(clients))
//	for client := range clients {
//		select {
//		case client.send <- envelope.New(event, b.Next()):
//		default:
//			b.Refuse(fanout.Full)
//		}
//	}
//	b.End()
//
// [Send] is that loop for a slice of channels. [Broadcast.NextContext] is for transports whose
// headers a propagator writes.
//
// If the trace in ctx is sampled, the broadcast has a span of kind PRODUCER. It says how many
// recipients there are, how many are sampled, and how many have refused. A receiver that
// opens its envelope with [envelope.Receive] has a span below it if it is sampled. The
// weights of these spans sum to the number of recipients, and package
// [github.com/waybill-go/waybill/sampling/estimate] knows how to read them.
//
// # Other shapes
//
//   - A hub that is divided among several goroutines gives each of them a [Broadcast.Part].
//   - If the number of recipients is not known beforehand, use [Fanout.BeginUnknown].
//   - If recipients pass the message on to others, use [Fanout.BeginRelays]. The relays may be
//     on other machines: their share of the sample travels in the tracestate.
//
// # Cost
//
// A broadcast whose sender is not traced allocates nothing, but for one header if there is
// baggage, and reads the sender's context once. Next takes a comparison and an addition. A traced broadcast adds its own span and, for
// each sampled recipient, a header.
package fanout
