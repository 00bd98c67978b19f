// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/examples/guild/guildpb"
	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/store"
)

// Bounds of requests and answers; those of what a post says are package chat's.
const (
	maxBody   = 16 << 10 // bytes of the request
	maxListed = 50       // posts in one answer
)

// post stores a message and fans it out. It answers 201 with the post and how
// many sessions got it; or 202 with the post, if they will get it later.
func (s *Service) post(w http.ResponseWriter, r *http.Request) {
	p, status, err := readPost(w, r)
	if err != nil {
		fail(w, status, err)
		return
	}
	published, status, err := s.send(r.Context(), &p)
	switch {
	case err != nil:
		fail(w, status, err)
	case published == nil:
		answer(w, status, p)
	default:
		answer(w, status, struct {
			store.Post

			Recipients int64 `json:"recipients"`
			Delivered  int64 `json:"delivered"`
			Traced     int64 `json:"traced"`
		}{p, published.GetRecipients(), published.GetDelivered(), published.GetTraced()})
	}
}

// send publishes a post that [checkPost] has checked. It returns the status to answer
// with, and an error for clients to know of, unless the post is stored; published is nil
// if it will be delivered later.
func (s *Service) send(ctx context.Context, p *store.Post) (published *guildpb.PublishResponse, status int, err error) {
	s.seen.first(trace.SpanContextFromContext(ctx).TraceID())
	published, err = s.publish(ctx, p)
	switch {
	case errors.Is(err, chat.ErrUnknownGuild):
		return nil, http.StatusNotFound, noGuild(p.Guild)
	case p.Seq == 0 && (errors.Is(err, errBacklog) || ctx.Err() != nil):
		return nil, http.StatusServiceUnavailable, s.inside(ctx, "the post was not stored, for others come first", err)
	case p.Seq == 0:
		return nil, http.StatusInternalServerError, s.inside(ctx, "the post could not be stored", err)
	case err != nil:
		return nil, http.StatusAccepted, nil //nolint:nilerr // It is stored, and the outbox says why it waits.
	}
	return published, http.StatusCreated, nil
}

// publish stores a post, which then has a number, and delivers it, all in its
// guild's turn: posts are delivered in the order of their numbers. Who hangs up
// takes nothing back that is stored.
func (s *Service) publish(ctx context.Context, p *store.Post) (*guildpb.PublishResponse, error) {
	l, err := s.turn(ctx, p.Guild)
	if err != nil {
		return nil, err
	}
	defer l.giveBack()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliverTime)
	defer cancel()
	if err = l.room(); err == nil {
		err = s.add(ctx, p)
	}
	if err != nil {
		return nil, err
	}
	return s.outbox.deliver(ctx, l, p)
}

// turn takes a guild's turn. To wait for it is a span.
func (s *Service) turn(ctx context.Context, guild int64) (*lane, error) {
	if l, ok := s.outbox.lanes[guild]; ok && l.tryTake() {
		return l, nil
	} else if ok {
		waiting, span := s.tracer.Start(ctx, "wait for earlier posts")
		defer span.End()
		ctx = waiting
	}
	return s.outbox.take(ctx, guild)
}

// add stores p below a span of its own, with the trace for who delivers it later.
func (s *Service) add(ctx context.Context, p *store.Post) error {
	p.Trace = propagation.MapCarrier{}
	s.propagator.Inject(ctx, p.Trace)
	ctx, span := s.tracer.Start(ctx, "INSERT posts", trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(
			attribute.String("db.system.name", "sqlite"),
			attribute.String("db.operation.name", "INSERT"),
			attribute.String("db.collection.name", "posts")))
	defer span.End()
	err := s.store.Add(ctx, p)
	if err == nil {
		s.posts.Add(1)
	} else if !errors.Is(err, chat.ErrUnknownGuild) {
		span.SetStatus(otelcodes.Error, err.Error())
	}
	return err
}

// readPost reads a post from the request, or says what is wrong with it.
func readPost(w http.ResponseWriter, r *http.Request) (p store.Post, status int, err error) {
	guild, err := guildOf(r)
	if err != nil {
		return p, http.StatusNotFound, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return p, http.StatusRequestEntityTooLarge, fmt.Errorf("the post has more than %d bytes", maxBody)
	} else if err != nil {
		return p, http.StatusBadRequest, errors.New("the post did not arrive in full")
	}
	if err = json.Unmarshal(body, &p); err != nil {
		return p, http.StatusBadRequest, fmt.Errorf("the post is not JSON like {\"author\": ..., \"content\": ...}: %w", err)
	}
	p.ID, p.Seq, p.Guild = 0, 0, guild
	status, err = checkPost(&p)
	return p, status, err
}

// checkPost gives a post without an author one, and says what is wrong with it.
func checkPost(p *store.Post) (status int, err error) {
	if p.Author = strings.TrimSpace(p.Author); p.Author == "" {
		p.Author = "anonymous"
	}
	if err = chat.Validate(p.Author, p.Content); errors.Is(err, chat.ErrLongContent) {
		return http.StatusRequestEntityTooLarge, err
	} else if err != nil {
		return http.StatusBadRequest, err
	}
	return http.StatusOK, nil
}

func guildOf(r *http.Request) (int64, error) {
	guild, err := strconv.ParseInt(r.PathValue("guild"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("there is no guild %q", r.PathValue("guild"))
	}
	return guild, nil
}

func noGuild(guild int64) error { return fmt.Errorf("there is no guild %d", guild) }

// list answers with a guild's latest posts.
func (s *Service) list(w http.ResponseWriter, r *http.Request) {
	guild, err := guildOf(r)
	if err != nil {
		fail(w, http.StatusNotFound, err)
		return
	}
	posts, err := s.store.Latest(r.Context(), guild, maxListed)
	if errors.Is(err, chat.ErrUnknownGuild) {
		fail(w, http.StatusNotFound, noGuild(guild))
		return
	} else if err != nil {
		fail(w, http.StatusInternalServerError, s.inside(r.Context(), "the posts could not be read", err))
		return
	}
	answer(w, http.StatusOK, posts)
}

// inside returns what a client may know of a failure that is none of its own. The cause
// may hold addresses, paths and statements: it is for the log.
func (s *Service) inside(ctx context.Context, what string, cause error) error {
	s.log.ErrorContext(ctx, what, slog.Any("error", cause))
	return errors.New(what)
}

func fail(w http.ResponseWriter, status int, err error) {
	answer(w, status, map[string]string{"error": err.Error()})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // A client that has gone does not matter.
}
