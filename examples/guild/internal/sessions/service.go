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

	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/trouble"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/timings"
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
	trouble   *trouble.Board
	tracer    trace.Tracer
	log       *slog.Logger
	notices   rate.Sometimes
	prefix    string
	lossy     bool
	writeTime time.Duration   // that a client may take for one message
	closing   context.Context //nolint:containedctx // Ends what sessions do before they have processes.
	close     context.CancelFunc

	mu        sync.Mutex
	clients   sync.WaitGroup // that connect or have a WebSocket; no more once it is closing
	nextID    atomic.Int64
	connected atomic.Int64
}

// Config is what [New] needs to know. All fields are needed, but for Prefix, Lossy, Meters,
// Timings and Trouble.
type Config struct {
	Directory Directory
	History   History
	Prefix    string // of the IDs of processes, which tells those of several services apart
	// Lossy says that messages to sessions may be lost on their way, as they may between
	// machines. A session that lacks some gets them from the history. Where it is false, a
	// session lacks messages only if its client cannot keep up, and ends.
	Lossy    bool
	Provider trace.TracerProvider
	Meters   metric.MeterProvider
	Timings  *timings.Store    // gets what sessions do with their minutes
	Control  *sampling.Control // that the tracing follows
	Trouble  *trouble.Board    // what goes wrong on purpose; nil for nothing
	Logger   *slog.Logger      // gets what clients are not told
}

// New makes the service.
func New(c Config) (*Service, error) {
	s := &Service{
		log:       c.Logger,
		notices:   rate.Sometimes{Interval: time.Second},
		history:   c.History,
		writeTime: maxWriteTime,
		directory: c.Directory,
		prefix:    c.Prefix,
		lossy:     c.Lossy,
		trouble:   c.Trouble,
		tracer:    c.Provider.Tracer("github.com/waybill-go/waybill/examples/guild/sessions"),
	}
	// Sessions end with their clients all the time, and refuse what those do not take:
	// that is no news, and panics we tell of ourselves.
	s.sys = mailbox.NewSystem(mailbox.WithTracerProvider(c.Provider), mailbox.WithControl(c.Control),
		mailbox.WithMeterProvider(c.Meters, semconv.ServiceName("session")), mailbox.WithTimings(c.Timings),
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
	c.number = s.nextID.Add(1)
	id := s.prefix + strconv.FormatInt(c.number, 10)
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
