// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package guilds is the guild service: a process for each guild, which fans
// messages out to the guild's sessions. The chat API reaches it by gRPC.
package guilds

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waybill-go/waybill/examples/guild/guildpb"
	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/trouble"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/timings"
	"github.com/waybill-go/waybill/sampling"
)

// ErrGap means that the messages before one have not come.
var ErrGap = errors.New("the message before has not come")

// Service runs the guild processes. Guilds are numbered from 1.
type Service struct {
	guildpb.UnimplementedGuildsServer

	config Config
	sys    *mailbox.System
	kind   *mailbox.Kind[message]
	tracer trace.Tracer
	server *grpc.Server
}

// Config is what [New] needs to know. All fields are needed, but for Sessions, Meters,
// Timings, Trouble and Faults.
type Config struct {
	Guilds int   // how many there are, numbered from 1
	Store  Store // where their state is
	// Sessions makes what the sessions of a guild are in. Nil is for sessions that are all in
	// this process of the operating system.
	Sessions   func(guild int64) (Sessions, error)
	Provider   trace.TracerProvider
	Meters     metric.MeterProvider
	Timings    *timings.Store // gets what guilds do with their minutes
	Propagator propagation.TextMapPropagator
	Control    *sampling.Control // that the tracing follows
	Token      Token             // that callers by gRPC show
	Idle       time.Duration     // after which a guild goes to sleep
	Faults     bool              // whether a message with the content [Fault] makes its guild fail
	Trouble    *trouble.Board    // what goes wrong on purpose; nil for nothing
	Logger     *slog.Logger      // gets what goes wrong in guilds
}

// New makes the service.
func New(c Config) (*Service, error) {
	s := &Service{
		config: c,
		sys: mailbox.NewSystem(mailbox.WithTracerProvider(c.Provider), mailbox.WithControl(c.Control),
			mailbox.WithMeterProvider(c.Meters, semconv.ServiceName("guild")), mailbox.WithTimings(c.Timings),
			mailbox.WithLogger(c.Logger)),
		tracer: c.Provider.Tracer("github.com/waybill-go/waybill/examples/guild/guilds"),
		server: grpc.NewServer(append(bounds(), grpc.UnaryInterceptor(c.Token.ask),
			grpc.StatsHandler(otelgrpc.NewServerHandler(
				otelgrpc.WithTracerProvider(c.Provider), otelgrpc.WithPropagators(c.Propagator))))...),
	}
	if c.Sessions == nil {
		s.config.Sessions = func(int64) (Sessions, error) { return mailbox.NewGroup[chat.Event](s.sys, "sessions") }
	}
	// A guild that fails is never given up, for its posts are to be delivered: whoever
	// gets it anew would begin without a back-off.
	var err error
	s.kind, err = mailbox.NewKind[message](s.sys, "guild",
		mailbox.WithPassivation(c.Idle),
		mailbox.WithPanicPolicy(mailbox.Restart),
		mailbox.WithRestartPolicy(mailbox.RestartPolicy{
			MaxFailures: -1, MinBackoff: minBackoff, MaxBackoff: maxBackoff,
		}))
	if err != nil {
		return nil, err
	}
	guildpb.RegisterGuildsServer(s.server, s)
	return s, nil
}

// guild returns the process of a guild. The first who asks for it starts it.
func (s *Service) guild(id int64) (mailbox.Ref[message], error) {
	if id < 1 || id > int64(s.config.Guilds) {
		return mailbox.Ref[message]{}, fmt.Errorf("guild %d: %w", id, chat.ErrUnknownGuild)
	}
	name := strconv.FormatInt(id, 10)
	if process, ok := s.kind.Lookup(name); ok {
		return process, nil
	}
	sessions, err := s.config.Sessions(id)
	if err != nil {
		return mailbox.Ref[message]{}, err
	}
	g := &guild{
		id: id, sessions: sessions,
		store: s.config.Store, tracer: s.tracer, faults: s.config.Faults, trouble: s.config.Trouble,
	}
	return s.kind.GetOrSpawn(name, g.load)
}

// Serve answers gRPC on listener until Shutdown.
func (s *Service) Serve(listener net.Listener) error {
	return s.server.Serve(netutil.LimitListener(listener, maxConnections))
}

// Publish implements the gRPC method.
func (s *Service) Publish(ctx context.Context, in *guildpb.PublishRequest) (*guildpb.PublishResponse, error) {
	g, err := s.guild(in.GetGuildId())
	if err != nil {
		return nil, statusOf(err)
	}
	if err := chat.Validate(in.GetAuthor(), in.GetContent()); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if in.GetSeq() < 1 {
		return nil, status.Error(codes.InvalidArgument, "the post has no number")
	}
	event := &chat.MessageCreate{
		Type:  chat.TypeMessage,
		Guild: in.GetGuildId(), ID: in.GetMessageId(), Seq: in.GetSeq(), Author: in.GetAuthor(), Content: in.GetContent(),
	}
	d, err := mailbox.Call(ctx, g, func(r mailbox.Reply[mailbox.Delivery]) message {
		return Publish{Message: event, Reply: r}
	})
	if err != nil {
		return nil, statusOf(err)
	}
	return &guildpb.PublishResponse{
		Recipients: int64(d.Size), Delivered: int64(d.Delivered), Traced: int64(d.Sampled),
	}, nil
}

// statusOf returns the gRPC status of a failure.
func statusOf(err error) error {
	panicked := (*mailbox.PanicError)(nil)
	switch {
	case errors.Is(err, chat.ErrUnknownGuild):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, ErrGap):
		return status.Error(codes.FailedPrecondition, err.Error())
	case errors.Is(err, mailbox.ErrStopped):
		return status.Error(codes.Unavailable, err.Error())
	case errors.As(err, &panicked):
		return status.Error(codes.Internal, err.Error())
	}
	return status.FromContextError(err).Err()
}

// Subscribe adds a session to a guild until the session ends. The error wraps
// [chat.ErrUnknownGuild] if there is no such guild.
func (s *Service) Subscribe(ctx context.Context, guild int64, session chat.Session) error {
	g, err := s.guild(guild)
	if err != nil {
		return err
	}
	_, err = mailbox.Call(ctx, g, func(r mailbox.Reply[struct{}]) message {
		return Subscribe{Session: session, Reply: r}
	})
	return err
}

// Admit counts a session that another process of the operating system has, where it has
// joined the guild's [Sessions]. It returns the number of the latest message that was fanned
// out before: the session may lack that one, or get later ones before it knows of the answer.
// The error wraps [chat.ErrUnknownGuild] if there is no such guild.
func (s *Service) Admit(ctx context.Context, guild int64) (last int64, err error) {
	g, err := s.guild(guild)
	if err != nil {
		return 0, err
	}
	return mailbox.Call(ctx, g, func(r mailbox.Reply[int64]) message { return Admit{Reply: r} })
}

// View returns what there is to see of a guild, which wakes it up. The error wraps
// [chat.ErrUnknownGuild] if there is no such guild.
func (s *Service) View(ctx context.Context, guild int64) (View, error) {
	g, err := s.guild(guild)
	if err != nil {
		return View{}, err
	}
	return mailbox.Call(ctx, g, func(r mailbox.Reply[View]) message { return getView{r} })
}

// Stats counts the messages to guild processes.
func (s *Service) Stats() mailbox.Stats { return s.sys.Stats() }

// Shutdown finishes the calls that end in time, then stops the guilds, which saves
// their state.
func (s *Service) Shutdown(ctx context.Context) error {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.server.GracefulStop()
	}()
	grace, cancel := context.WithTimeout(ctx, graceTime)
	defer cancel()
	select {
	case <-stopped:
	case <-grace.Done():
		s.server.Stop()
		<-stopped
	}
	return s.sys.Shutdown(ctx)
}
