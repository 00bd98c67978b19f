// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/sampling"
)

const (
	guilds    = 8
	slowGuild = 3 // the guild whose posts take long
	sessions  = 300
	archiveOf = 64 // posts that the archive's channel holds
)

// Post and Typing are what a guild is told.
type (
	Post   struct{ Text string }
	Typing struct{ User int }
)

// Event is what a session is told.
type Event struct{ Text string }

var errRude = errors.New("the post is rude")

// chat is a system of guilds and sessions, and an archive.
type chat struct {
	sys     *mailbox.System
	tracer  trace.Tracer
	members *mailbox.Group[Event]
	guilds  []mailbox.Ref[any]
	archive chan envelope.Envelope[Post]
	kept    sync.WaitGroup
}

// newControl says what is timed and what is traced. All messages to guilds are timed, and one
// in ten of those to sessions, of which there are many. A fan-out is shed if there are too
// many spans, as it would be under an attack.
func newControl() (*sampling.Control, error) {
	return sampling.NewControl(sampling.Config{
		Kinds: map[string]sampling.KindConfig{
			"guild":   {TimeOneIn: 1, Late: sampling.Late{Failures: true, SlowerThan: 50 * time.Millisecond}},
			"session": {TimeOneIn: 10, Late: sampling.Late{Failures: true}},
		},
		Groups: map[string]sampling.GroupConfig{"members": {MaxSpansPerSecond: 30}},
	})
}

func newChat(tracers trace.TracerProvider, meters metric.MeterProvider) (*chat, error) {
	control, err := newControl()
	if err != nil {
		return nil, err
	}
	if _, err := control.RegisterMetrics(meters.Meter("chat")); err != nil {
		return nil, err
	}
	c := &chat{
		sys: mailbox.NewSystem(mailbox.WithControl(control), mailbox.WithTracerProvider(tracers),
			mailbox.WithMeterProvider(meters), mailbox.WithLogger(slog.New(slog.DiscardHandler))),
		tracer:  tracers.Tracer("chat"),
		archive: make(chan envelope.Envelope[Post], archiveOf),
	}
	if c.members, err = mailbox.NewGroup[Event](c.sys, "members"); err != nil {
		return nil, err
	}
	if err := c.spawn(); err != nil {
		return nil, err
	}
	c.kept.Go(func() {
		posts := envelope.Receive(context.Background(), c.archive, "archive post",
			envelope.WithTracerProvider(tracers), envelope.WithMeterProvider(meters))
		for range posts {
			time.Sleep(2 * time.Millisecond)
		}
	})
	return c, nil
}

// spawn starts the guilds and the sessions.
func (c *chat) spawn() error {
	kind, err := mailbox.NewKind[any](c.sys, "guild", mailbox.WithCapacity(100), mailbox.WithOverflow(mailbox.DropOldest),
		mailbox.WithPanicPolicy(mailbox.Restart), mailbox.WithRestartPolicy(mailbox.RestartPolicy{MaxFailures: 1_000}))
	if err != nil {
		return err
	}
	for i := range guilds {
		guild, err := kind.SpawnInstance(strconv.Itoa(i), func(context.Context, mailbox.Ref[any]) (mailbox.Instance[any], error) {
			return mailbox.Instance[any]{Handle: c.guild(i == slowGuild)}, nil
		})
		if err != nil {
			return err
		}
		c.guilds = append(c.guilds, guild)
	}
	members, err := mailbox.NewKind[Event](c.sys, "session", mailbox.WithCapacity(4), mailbox.WithOverflow(mailbox.Refuse))
	if err != nil {
		return err
	}
	for i := range sessions {
		session, err := members.Spawn(strconv.Itoa(i), func(ctx context.Context, _ Event) error {
			if i%100 == 0 { // Three of them cannot keep up.
				time.Sleep(100 * time.Millisecond)
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
		if err := c.members.Join(session); err != nil {
			return err
		}
	}
	return nil
}

// guild returns the handler of a guild.
func (c *chat) guild(slow bool) mailbox.Handler[any] {
	return func(ctx context.Context, message any) error {
		post, ok := message.(Post)
		if !ok {
			return nil
		}
		switch {
		case slow:
			time.Sleep(60 * time.Millisecond)
		case rand.IntN(50) == 0:
			return errRude
		case rand.IntN(200) == 0:
			panic("a bug in a guild")
		}
		ctx, span := c.tracer.Start(ctx, "store post") // Below a post that is not traced, it becomes no root.
		defer span.End()
		c.members.Broadcast(ctx, Event(post))
		envelope.TrySend(ctx, c.archive, post)
		return nil
	}
}

// talk has users post and type until ctx ends.
func (c *chat) talk(ctx context.Context) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		guild := c.guilds[rand.IntN(guilds)]
		request, span := c.tracer.Start(ctx, "POST /posts")
		_ = guild.Send(request, Typing{rand.IntN(1_000)}) // What cannot be sent is counted.
		_ = guild.Send(request, Post{"hello"})
		span.End()
	}
}

// end handles what was accepted.
func (c *chat) end(ctx context.Context) error {
	err := c.sys.Shutdown(ctx)
	close(c.archive)
	c.kept.Wait()
	return err
}
