// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package guilds is the guild service: a process for each guild, which fans
// messages out to the guild's sessions. The chat API reaches it by gRPC.
package guilds

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waybill-go/waybill/examples/guild/guildpb"
	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

// ErrGap means that the messages before one have not come.
var ErrGap = errors.New("the message before has not come")

// Service runs the guild processes. Guilds are numbered from 1.
type Service struct {
	guildpb.UnimplementedGuildsServer

	sys    *mailbox.System
	guilds map[int64]mailbox.Ref[message]
	server *grpc.Server
}

// Config is what [New] needs to know. All fields are needed.
type Config struct {
	Guilds int // how many there are, numbered from 1
	// Last gives the number of a guild's latest message that was published before.
	Last       func(guild int64) (int64, error)
	Provider   trace.TracerProvider
	Propagator propagation.TextMapPropagator
	Control    *sampling.Control // that the tracing follows
	Token      Token             // that callers by gRPC show
}

// New makes the service.
func New(c Config) (*Service, error) {
	s := &Service{
		sys:    mailbox.NewSystem(mailbox.WithTracerProvider(c.Provider), mailbox.WithControl(c.Control)),
		guilds: make(map[int64]mailbox.Ref[message], c.Guilds),
		server: grpc.NewServer(append(bounds(), grpc.UnaryInterceptor(c.Token.ask),
			grpc.StatsHandler(otelgrpc.NewServerHandler(
				otelgrpc.WithTracerProvider(c.Provider), otelgrpc.WithPropagators(c.Propagator))))...),
	}
	kind, err := mailbox.NewKind[message](s.sys, "guild", mailbox.WithPanicPolicy(mailbox.Continue))
	if err != nil {
		return nil, err
	}
	for id := range int64(c.Guilds) {
		g := &guild{id: id + 1, sessions: mailbox.NewGroup[chat.Event](s.sys, "sessions")}
		if g.seq, err = c.Last(g.id); err != nil {
			return nil, err
		}
		if s.guilds[g.id], err = kind.Spawn(strconv.FormatInt(g.id, 10), g.handleMessage); err != nil {
			return nil, err
		}
	}
	guildpb.RegisterGuildsServer(s.server, s)
	return s, nil
}

// Serve answers gRPC on listener until Shutdown.
func (s *Service) Serve(listener net.Listener) error {
	return s.server.Serve(netutil.LimitListener(listener, maxConnections))
}

// Publish implements the gRPC method.
func (s *Service) Publish(ctx context.Context, in *guildpb.PublishRequest) (*guildpb.PublishResponse, error) {
	g, ok := s.guilds[in.GetGuildId()]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "guild %d: %v", in.GetGuildId(), chat.ErrUnknownGuild)
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
	if errors.Is(err, ErrGap) {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	} else if err != nil {
		return nil, status.FromContextError(err).Err()
	}
	return &guildpb.PublishResponse{
		Recipients: int64(d.Size), Delivered: int64(d.Delivered), Traced: int64(d.Sampled),
	}, nil
}

// Subscribe adds a session to a guild until the session ends. The error wraps
// [chat.ErrUnknownGuild] if there is no such guild.
func (s *Service) Subscribe(ctx context.Context, guild int64, session chat.Session) error {
	g, ok := s.guilds[guild]
	if !ok {
		return fmt.Errorf("guild %d: %w", guild, chat.ErrUnknownGuild)
	}
	_, err := mailbox.Call(ctx, g, func(r mailbox.Reply[struct{}]) message {
		return Subscribe{Session: session, Reply: r}
	})
	return err
}

// Stats counts the messages to guild processes.
func (s *Service) Stats() mailbox.Stats { return s.sys.Stats() }

// Shutdown finishes the calls that end in time, then stops the guilds.
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
