// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package sessions is the session service: a process for each connected
// client, which forwards what happens in its guild.
package sessions

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// Kind is the name of the session processes' kind.
const Kind = "session"

// Directory is how a session gets into its guild.
type Directory interface {
	// Subscribe adds a session to a guild until the session ends.
	Subscribe(ctx context.Context, guild int64, session chat.Session) error
}

// Service runs the session processes.
type Service struct {
	Tally   Tally
	Latency Latency

	sys       *mailbox.System
	kind      *mailbox.Kind[chat.Event]
	directory Directory
	tracer    trace.Tracer
	log       *slog.Logger
	sockets   sync.WaitGroup
	nextID    atomic.Int64
	connected atomic.Int64
}

// New makes the service, whose tracing follows control. The logger gets what
// clients are not told.
func New(
	directory Directory, provider trace.TracerProvider, control *sampling.Control, log *slog.Logger,
) (*Service, error) {
	s := &Service{
		log:       log,
		sys:       mailbox.NewSystem(mailbox.WithTracerProvider(provider), mailbox.WithControl(control)),
		directory: directory,
		tracer:    provider.Tracer("github.com/waybill-go/waybill/examples/guild/sessions"),
	}
	// A client that cannot keep up loses its session, not the guild its time.
	kind, err := mailbox.NewKind[chat.Event](s.sys, Kind,
		mailbox.WithCapacity(256), mailbox.WithErrorPolicy(mailbox.Stop))
	if err != nil {
		return nil, err
	}
	s.kind = kind
	return s, nil
}

// Connect starts a session in a guild, which hands every event to client, one
// after the other.
func (s *Service) Connect(ctx context.Context, guild int64, client mailbox.Handler[chat.Event]) (chat.Session, error) {
	var track *Track
	id := strconv.FormatInt(s.nextID.Add(1), 10)
	session, err := s.kind.Spawn(id, func(ctx context.Context, e chat.Event) error {
		begun := time.Now()
		if err := client(ctx, e); err != nil {
			return err
		}
		switch e := e.(type) {
		case *chat.Ready:
			track = s.Tally.Track(e.Last)
		case *chat.MessageCreate:
			sent, _ := mailbox.SentAt(ctx)
			s.Latency.Took(begun.Sub(sent), time.Since(begun))
			track.Got(e.Seq)
		}
		return nil
	})
	if err != nil {
		return session, err
	}
	if err = s.directory.Subscribe(ctx, guild, session); err != nil {
		session.Kill()
		return session, fmt.Errorf("session %s: %w", id, err)
	}
	s.connected.Add(1)
	return session, nil
}

// Connected returns how many sessions have been in a guild so far.
func (s *Service) Connected() int64 { return s.connected.Load() }

// Stats counts the messages to session processes.
func (s *Service) Stats() mailbox.Stats { return s.sys.Stats() }

// Shutdown delivers what the sessions have accepted, then closes them and
// their connections.
func (s *Service) Shutdown(ctx context.Context) error {
	err := s.sys.Shutdown(ctx)
	s.sockets.Wait()
	return err
}
