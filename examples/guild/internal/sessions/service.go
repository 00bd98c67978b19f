// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package sessions is the session service: a process for each connected
// client, which forwards what happens in its guild.
package sessions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// ErrClosed means that the service shuts down.
var ErrClosed = errors.New("the service shuts down")

// Kind is the name of the session processes' kind.
const Kind = "session"

// Directory is how a session gets into its guild.
type Directory interface {
	// Subscribe adds a session to a guild until the session ends.
	Subscribe(ctx context.Context, guild int64, session chat.Session) error
}

// History is where a session catches up.
type History interface {
	// Last returns the number of a guild's latest message, 0 without any, or
	// [chat.ErrUnknownGuild].
	Last(ctx context.Context, guild int64) (int64, error)
	// Messages returns up to n messages of a guild with numbers above after, in
	// their order. The oldest may be gone, but never the latest.
	Messages(ctx context.Context, guild, after int64, n int) ([]*chat.MessageCreate, error)
}

// Service runs the session processes.
type Service struct {
	Tally   Tally
	Latency Latency

	sys       *mailbox.System
	kind      *mailbox.Kind[chat.Event]
	directory Directory
	history   History
	tracer    trace.Tracer
	log       *slog.Logger
	notices   rate.Sometimes
	writeTime time.Duration   // that a client may take for one message
	closing   context.Context //nolint:containedctx // Ends what sessions do before they have processes.
	close     context.CancelFunc

	mu        sync.Mutex
	clients   sync.WaitGroup // that connect or have a WebSocket; no more once it is closing
	nextID    atomic.Int64
	connected atomic.Int64
}

// New makes the service, whose tracing follows control. The logger gets what
// clients are not told.
func New(
	directory Directory, history History, provider trace.TracerProvider, control *sampling.Control, log *slog.Logger,
) (*Service, error) {
	s := &Service{
		log:       log,
		notices:   rate.Sometimes{Interval: time.Second},
		history:   history,
		writeTime: maxWriteTime,
		directory: directory,
		tracer:    provider.Tracer("github.com/waybill-go/waybill/examples/guild/sessions"),
	}
	// Sessions end with their clients all the time, and refuse what those do not take:
	// that is no news, and panics we tell of ourselves.
	s.sys = mailbox.NewSystem(mailbox.WithTracerProvider(provider), mailbox.WithControl(control),
		mailbox.WithLogger(nil))
	s.closing, s.close = context.WithCancel(context.Background())
	// A client that cannot keep up loses its session, not the guild its time.
	kind, err := mailbox.NewKind[chat.Event](s.sys, Kind,
		mailbox.WithCapacity(128), mailbox.WithErrorPolicy(mailbox.Terminate))
	if err != nil {
		return nil, err
	}
	s.kind = kind
	return s, nil
}

// tellOfPanic tells of a panic on its way.
func (s *Service) tellOfPanic(ctx context.Context) {
	if p := recover(); p != nil {
		s.log.ErrorContext(ctx, "a session panicked", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		panic(p)
	}
}

// Connect starts a session in a guild, which hands every event to client, one after
// the other: all messages after number since, or after now if that is [Live]. It
// blocks while client catches up, until ctx ends. The error wraps
// [chat.ErrUnknownGuild] if there is no such guild, [chat.ErrBehind] if the client is too
// slow even for that, and [ErrClosed] if the service shuts down.
func (s *Service) Connect(
	ctx context.Context, guild, since int64, client mailbox.Handler[chat.Event],
) (process chat.Session, err error) {
	if !s.enter() {
		return process, ErrClosed
	}
	defer s.clients.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	defer func() {
		if err != nil && s.closing.Err() != nil {
			err = ErrClosed
		}
	}()
	c := &session{service: s, guild: guild, client: client}
	if since > Live {
		if err = s.ended(ctx, c.resume(ctx, since)); err != nil {
			return process, fmt.Errorf("catch up: %w", err)
		}
	}
	id := strconv.FormatInt(s.nextID.Add(1), 10)
	if process, err = s.kind.Spawn(id, c.handle); err != nil {
		return process, err
	}
	if err = s.directory.Subscribe(ctx, guild, process); err != nil {
		process.Kill()
		return process, fmt.Errorf("session %s: %w", id, err)
	}
	return process, nil
}

// enter lets a client in, until it is Done, unless the service shuts down.
func (s *Service) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Err() != nil {
		return false
	}
	s.clients.Add(1)
	return true
}

// Connected returns how many sessions have been in a guild so far.
func (s *Service) Connected() int64 { return s.connected.Load() }

// Stats counts the messages to session processes.
func (s *Service) Stats() mailbox.Stats { return s.sys.Stats() }

// Shutdown delivers what the sessions have accepted, then closes them and their
// connections. If ctx ends before that, clients that lack something can have it from
// the history later.
func (s *Service) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.close()
	s.mu.Unlock()
	err := s.sys.Shutdown(ctx)
	s.clients.Wait()
	return err
}
