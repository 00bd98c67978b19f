// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/examples/guild/internal/browser"
	"github.com/waybill-go/waybill/examples/guild/internal/chat"
	"github.com/waybill-go/waybill/examples/guild/internal/store"
	"github.com/waybill-go/waybill/propagate"
)

const (
	maxFrameHeader = 1 << 10          // bytes of an envelope; one with a trace has about 90
	frameTime      = 15 * time.Second // that a post by frame may take, with the wait for its turn
	reportTime     = time.Minute      // after which a page may no longer report its span
	maxUnreported  = 4                // posts of a client whose spans it may report
)

// frame is what a client sends: a post, or how long the page's own span of one took.
type frame struct {
	Type       string  `json:"type"` // "post" or "span"
	Ref        int64   `json:"ref"`  // the client's own number of the post
	Author     string  `json:"author"`
	Content    string  `json:"content"`
	StartMS    float64 `json:"start_unix_ms"`
	DurationMS float64 `json:"duration_ms"`
}

// reply is what a client gets for it.
type reply struct {
	Type   string `json:"type"` // "posted" or "refused"
	Ref    int64  `json:"ref"`
	Status int    `json:"status"` // as by HTTP
	Error  string `json:"error,omitempty"`
	*posted
}

// posted is what there is to say of a post that is stored.
type posted struct {
	ID         int64 `json:"id"`
	Seq        int64 `json:"seq"`
	Recipients int64 `json:"recipients"`
	Delivered  int64 `json:"delivered"`
	Traced     int64 `json:"traced"`
}

// client is who sends frames by one WebSocket. It is used by one goroutine at a time.
type client struct {
	service    *Service
	guild      int64
	unreported []unreported
}

// unreported is a post whose trace began in the browser.
type unreported struct {
	ref  int64
	span browser.Span
}

// open takes the frames of a client of a guild. It is a [chat.Door].
func (s *Service) open(guild int64) chat.Frames {
	return (&client{service: s, guild: guild}).take
}

// frames reads what clients send, with so much of their traces.
func frames(policy propagate.Policy) wire.Config[frame] {
	return wire.Config[frame]{
		Form:       wire.JSON,
		MaxHeader:  maxFrameHeader,
		MaxMessage: chat.MaxFrame,
		Boundary:   propagate.Boundary{Policy: policy, Propagator: propagate.TraceContext{}},
	}
}

// decode reads a frame. A trace that has come before is not continued, but linked to.
func (s *Service) decode(data []byte) (envelope.Envelope[frame], error) {
	e, err := frames(s.policy).Decode(data)
	if sc := e.Header().SpanContext(); sc.IsValid() && e.Message().Type == "post" && !s.seen.first(sc.TraceID()) {
		return frames(propagate.Link).Decode(data)
	}
	return e, err
}

// take takes a frame.
func (c *client) take(ctx context.Context, data []byte) []byte {
	if !c.service.enter() {
		return refuse(ctx, 0, http.StatusServiceUnavailable, errClosed)
	}
	defer c.service.working.Done()
	heard := time.Now()
	e, err := c.service.decode(data)
	if err != nil {
		return refuse(ctx, 0, http.StatusBadRequest, fmt.Errorf("the frame is not JSON like {\"type\": \"post\", ...}: %w", err))
	}
	f := e.Message()
	if e.Header() != nil { // Without one, a trace begins here.
		ctx, f = e.Unwrap(ctx)
	}
	switch f.Type {
	case "post":
		return c.post(ctx, f, heard)
	case "span":
		if err = c.report(f, heard); err != nil {
			return refuse(ctx, f.Ref, http.StatusBadRequest, err)
		}
		return nil
	default:
		return refuse(ctx, f.Ref, http.StatusBadRequest, errors.New("there is no such type of frame"))
	}
}

// post stores a message and fans it out, as a post by HTTP does. ctx has the browser's
// trace, as far as it is to be continued or linked to.
func (c *client) post(ctx context.Context, f frame, heard time.Time) []byte {
	p := store.Post{Guild: c.guild, Author: f.Author, Content: f.Content}
	if status, err := checkPost(&p); err != nil {
		return refuse(ctx, f.Ref, status, err)
	}
	ctx, cancel := context.WithTimeout(ctx, frameTime)
	defer cancel()
	defer context.AfterFunc(c.service.closing, cancel)()
	theirs := trace.SpanContextFromContext(ctx)
	ctx, span := c.service.entry.Start(ctx, "websocket post", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	published, status, err := c.service.send(ctx, &p)
	if err != nil {
		if status >= http.StatusInternalServerError {
			span.SetStatus(otelcodes.Error, err.Error())
		}
		return refuse(ctx, f.Ref, status, err)
	}
	if span.IsRecording() && theirs.IsValid() {
		c.await(unreported{f.Ref, browser.Span{Context: theirs, Heard: heard}})
	}
	return write(ctx, reply{Type: "posted", Ref: f.Ref, Status: status, posted: &posted{
		p.ID, p.Seq, published.GetRecipients(), published.GetDelivered(), published.GetTraced(),
	}})
}

// await remembers a post that the page may report its span of.
func (c *client) await(u unreported) {
	if len(c.unreported) == maxUnreported {
		c.unreported = append(c.unreported[:0], c.unreported[1:]...)
	}
	c.unreported = append(c.unreported, u)
}

// report records the span of a page, once, for a post that it has just made by this
// connection. Nothing but two numbers is the page's own.
func (c *client) report(f frame, now time.Time) error {
	for i, u := range c.unreported {
		if u.ref != f.Ref {
			continue
		}
		c.unreported = append(c.unreported[:i], c.unreported[i+1:]...)
		if now.Sub(u.span.Heard) > reportTime {
			break
		}
		return c.service.browser.Record(u.span, browser.Claim{StartMS: f.StartMS, DurationMS: f.DurationMS}, now)
	}
	return errors.New("no span of such a post is waited for")
}

// refuse answers that a frame is refused.
func refuse(ctx context.Context, ref int64, status int, err error) []byte {
	return write(ctx, reply{Type: "refused", Ref: ref, Status: status, Error: err.Error()})
}

// write returns a frame for a client, with the trace of ctx if it is sampled.
func write(ctx context.Context, r reply) []byte {
	data, err := wire.Config[reply]{Form: wire.JSON}.Append(nil, envelope.Wrap(ctx, r))
	if err != nil {
		panic(err) // Strings and numbers have JSON.
	}
	return data
}
