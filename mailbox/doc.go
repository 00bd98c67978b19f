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
// A process handles one message at a time. Messages of one sender are handled in the
// order in which they were sent. An idle process is a little memory and no goroutine.
// Processes with something to do share a few workers, as many as there were processors
// (GOMAXPROCS) when the system was made. A process that is never out of messages lets
// others have their turn after 64 messages.
//
// A handler may block for as long as it likes. During a [Call] or a waiting Send it
// gives up its worker at once. Where handlers block in other ways while processes wait,
// more workers are let in, within a millisecond or two if a processor is free.
// [WithDedicatedGoroutine] is for kinds whose handlers always block.
//
// Mailboxes are bounded; [Overflow] says what a full one does. While a process waits for
// its turn it may hold one message more.
//
// # Traces
//
// Processes continue traces and start none, unless [WithRootSpans] asks for it. The
// handling of a message whose trace is sampled is a span named "<kind> <message type>".
// It is a child of the sender's span and says how long the message waited. Spans that
// the handler starts with its context are its children.
//
// The handler of any other message gets the process's own context, at no cost. That
// context holds [envelope.Sentinel], an unsampled span context, so that the handler's
// spans and outgoing requests are not sampled. The sentinel's documentation says for
// which samplers this holds.
//
// A sampled message that was refused or never handled has a span with the reason in
// place of its handling's. A reply that comes after the caller has gone has a span too.
//
// A trace does not grow for ever. After 256 messages one after the other, or half an
// hour, a new trace begins, with a link to the old one ([WithChainLimit]).
//
// With [WithControl] all of this can be switched for each kind while the program runs.
// Then a message that was not sampled may still leave a span if it failed, was slow or
// waited long: see [sampling.KindConfig].
//
// # What the context tells
//
// The context that a handler gets, and each that is derived from it, tells this package
// who acts. So a handler must pass it on to all that it calls. It tells
//
//   - where a handler runs: [Self] gives its process, [SystemOf] its system, and [SentAt]
//     when its message was sent;
//   - who sends and who calls: a handler that waits, for room or for an answer, gives up
//     its worker. For room it waits for a limited time ([WithHandlerSendTimeout]), and not
//     at all for its own process. It cannot call its own process ([ErrSelfCall]), and
//     [Ref.Stop] of its own process returns at once;
//   - who sets a timer: timers that a handler sets for its own process end when the process
//     is restarted, and keep the process from being passivated.
//
// A message takes the trace and the baggage from its sender's context, and nothing else
// ([WithCarry]). The handler's context has these two. It ends when the handler's own
// process is killed or has ended. It has none of the sender's values. It does not have
// the sender's deadline or cancellation either, because a message outlives its sender.
// The exception is a [Call]: its handler has the caller's deadline and cancellation. The
// [Factory] that may be called before that handler does not.
//
// # Conservation
//
// Nothing is lost in silence. These equations hold at any time for [System.Stats]. Once
// all senders are done, sent can be checked against their own counts:
//
//	sent     = Accepted + Refused + Waiting
//	Accepted = Handled + Failed + DeadLetters + Queued
//
// # Failures
//
// An error or a panic of a handler stays inside its process. It is recorded on the span
// with status Error and the whole stack. Then the process goes on, ends, or restarts
// with a fresh state, as its kind is configured ([FailurePolicy]). A call whose handler
// failed gets that failure as its error.
//
// A process that is spawned with a [Factory] has its state made for it: for the first
// message, again after a failure ([Restart]), and again after it was passivated because
// it was idle ([WithPassivation]). It stays the same process with the same mailbox, and
// no message is lost. [Kind.GetOrSpawn] finds such processes by their IDs:
//
//	carts, err := mailbox.NewKind[CartMsg](sys, "cart",
//		mailbox.WithPanicPolicy(mailbox.Restart), mailbox.WithPassivation(10*time.Minute))
//	cart, err := carts.GetOrSpawn(userID, func(ctx context.Context, self mailbox.Ref[CartMsg]) (mailbox.Instance[CartMsg], error) {
//		state, err := load(ctx, self.ID())
//		return mailbox.Instance[CartMsg]{Handle: state.handle, Save: state.save}, err
//	})
//
// [WithEventHook] and [WithLogger] tell what goes wrong: failed handlers, messages that
// were refused or never handled, and processes that ended because of a failure. Without
// either option, panics and processes that ended because of a failure are logged.
//
// [Ref.Done] and [Ref.Err] tell anybody that a process has ended, and why. [Watch] tells
// another process. [Link] ends another process as well.
//
// A sampler, span processor or exporter that panics costs a span and nothing else. The
// message is sent and handled without the span, and a broadcast's recipients get the
// message without a trace. A panic in a function given to [Watch] does no harm either.
// OpenTelemetry's error handler is told, at most once a second.
//
// # Cost
//
// Without a trace in the context, or with an unsampled one, a message to an idle process
// allocates nothing, and a broadcast costs a few atomic operations for each member. A
// system that has been idle for a tenth of a second has no goroutine. Shut a system down
// when you no longer need it; in a testing/synctest bubble you must do so before the
// test ends.
//
// Each system has one lock that hands processes to workers. It is taken once for each
// call, and once for 32 members of a broadcast. On two processors it takes 1 to 2 % of
// the time of broadcasts. With many processors it would be the first limit: with about
// ten for broadcasts to handlers that take no time, with about two hundred for handlers
// that take a microsecond. Systems do not share it.
//
// A handler's context costs nothing until the handler asks for Done. Then it takes some
// 200 bytes, which the process keeps until its end. A context derived directly from it,
// as by [context.WithTimeout], needs no goroutine. A context that is derived after a
// value was added, for instance a span, needs one until it ends.
//
// # Concurrency and ownership
//
// Everything here may be used from any number of goroutines. A message belongs to its
// receiver once it is sent. A message that is broadcast is shared by all recipients, who
// must not change it. A nil context stands for [context.Background], and a
// nil option is none.
package mailbox
