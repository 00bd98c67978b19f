// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package mailbox provides processes: handlers, each with a bounded mailbox, that
// exchange typed messages and pass the trace along.
//
//	sys := mailbox.NewSystem()
//	guild, err := mailbox.Spawn(sys, "guild", handleGuild) // func(ctx context.Context, m GuildMsg) error
//	err = guild.Send(ctx, MessageCreate{...})
//	stats, err := mailbox.Call(ctx, guild, func(r mailbox.Reply[Stats]) GuildMsg { return GetStats{r} })
//
//	sessions, err := mailbox.NewGroup[Event](sys, "sessions")
//	delivery := sessions.Broadcast(ctx, event)
//
//	err = sys.Shutdown(ctx)
//
// # Processes
//
// A process handles one message at a time, those of one sender in the order
// they were sent. One with nothing to do is a little memory and no goroutine.
// Those with something to do share a few workers, as many as there were
// processors (GOMAXPROCS) when the system was made. A handler may block for as
// long as it likes: a [Call] or a waiting Send gives up its worker at once, and
// where other handlers block while processes wait, more workers are let in, within
// a millisecond or two if a processor is free; [WithDedicatedGoroutine] is for kinds that
// always block. A process that is never out of messages lets others have their turn
// every 64.
//
// Mailboxes are bounded; [Overflow] says what a full one does. While a process
// waits for its turn it may hold one message more.
//
// # Traces
//
// Processes continue traces and start none (but see [WithRootSpans]). The handling
// of a message whose trace is sampled is a span named "<kind> <message type>",
// a child of the sender's, which says how long the message waited; spans that
// the handler starts with its context nest below it. The handler of any other
// message has the process's own context, at no cost, with [envelope.Sentinel]
// in it, so that its spans and outgoing requests stay silent; the sentinel's
// documentation says below which samplers. A message that
// was refused or never handled leaves a span with the reason where its handling
// would have been, and a late answer to a call one where nobody waits for it.
//
// A trace does not grow for ever: after 256 messages one after the other, or half
// an hour, it goes on in a new one with a link ([WithChainLimit]).
//
// With [WithControl] all of this can be switched while the program runs, by kind,
// and a message that nobody had chosen to trace leaves a span after all if it
// failed, was slow or waited long: see [sampling.KindConfig].
//
// # What the context tells
//
// The context that a handler gets, and each that is derived from it, tells this package
// who acts, so a handler passes it on to all that it calls. It tells
//
//   - where a handler runs: [Self] gives its process, [SystemOf] its system, and [SentAt]
//     when its message was sent;
//   - who sends and who calls: a handler that waits, for room or for an answer, gives up
//     its worker. For room it waits for a bounded time ([WithHandlerSendTimeout]), and not
//     at all for its own process. It cannot call its own process ([ErrSelfCall]), and
//     [Ref.Stop] of that returns at once;
//   - who sets a timer: those that a handler sets for its own process end when the process
//     is restarted, and keep it from being passivated.
//
// A message takes the trace and the baggage of its sender's context along, and nothing
// else ([WithCarry]). The context of its handler has those, and the end of its own
// process: it ends when that is killed or has ended. It has neither the sender's values
// nor, for a message outlives its sender, the sender's deadline and cancellation. Only
// the handler of a [Call] has the caller's deadline and cancellation too, and not the
// [Factory] that is called before it.
//
// # Conservation
//
// Nothing is lost in silence. [System.Stats] holds at any time, and checked
// against the senders' own counts once they are done:
//
//	sent     = Accepted + Refused + Waiting
//	Accepted = Handled + Failed + DeadLetters + Queued
//
// # Failures
//
// An error or a panic of a handler stays inside its process, is recorded on the
// span with status Error and the whole stack, and stops the process, or not, or
// has it start afresh, as configured ([FailurePolicy]). The reply of a failed call
// is that failure.
//
// A process that is spawned with a [Factory] has its state made for it: for the first
// message, and again after a failure ([Restart]) or after it was passivated for
// being idle ([WithPassivation]). All that time it is the same process, with the same
// mailbox, and no message is lost. [Kind.GetOrSpawn] finds such processes by their
// IDs:
//
//	carts, err := mailbox.NewKind[CartMsg](sys, "cart",
//		mailbox.WithPanicPolicy(mailbox.Restart), mailbox.WithPassivation(10*time.Minute))
//	cart, err := carts.GetOrSpawn(userID, func(ctx context.Context, self mailbox.Ref[CartMsg]) (mailbox.Instance[CartMsg], error) {
//		state, err := load(ctx, self.ID())
//		return mailbox.Instance[CartMsg]{Handle: state.handle, Save: state.save}, err
//	})
//
// What goes wrong is heard: [WithEventHook] and [WithLogger] tell of failed handlers,
// of messages that were refused or never handled, and of processes that ended by a
// failure. Without either, panics and processes that ended by a failure are logged.
//
// [Ref.Done] and [Ref.Err] tell anybody of a process's end and its cause, [Watch]
// tells another process, and with [Link] that one ends as well.
//
// A sampler, span processor or exporter that panics costs a span and nothing else:
// the message is sent and handled without it, and the recipients of a broadcast
// without a trace. So does what is given to [Watch]. OpenTelemetry's error handler is
// told, at most once a second.
//
// # Cost
//
// Without a trace in the context, or with an unsampled one, a message to an idle
// process allocates nothing, and a broadcast to many costs a few atomic
// operations for each. A system holds no goroutine after it has been idle for a
// tenth of a second; one that is given up should be shut down all the same, and
// one in a testing/synctest bubble must be before the test ends.
//
// One lock for each system hands processes to workers: once for 32 of a broadcast,
// once for each call. On two processors that is next to nothing, 1 to 2 % of the
// time of broadcasts. On many it would be the first limit: broadcasts to handlers
// that take no time would wear it out with about ten processors, those to handlers
// of a microsecond with two hundred. Systems do not share it.
//
// A handler's context costs nothing until it is asked for Done; what it takes then,
// some 200 bytes, the process keeps until its end. A context derived from it
// directly, as by [context.WithTimeout], needs no goroutine; one that is derived
// after values were put on top, a span for instance, needs one until it ends.
//
// # Concurrency and ownership
//
// Everything here may be used from any number of goroutines. A message belongs
// to its receiver once sent; one that is broadcast is shared by all recipients,
// who must not change it.
package mailbox
