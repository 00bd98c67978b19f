// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/mailbox"
)

// withIDs adds the IDs of the trace to each line, as many services do.
type withIDs struct{ slog.Handler }

func (h withIDs) Handle(ctx context.Context, r slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h withIDs) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withIDs{h.Handler.WithAttrs(attrs)}
}
func (h withIDs) WithGroup(name string) slog.Handler { return withIDs{h.Handler.WithGroup(name)} }

// logging returns a logger that keeps lines without their time.
func logging() (logger *slog.Logger, lines func() []string) {
	var out bytes.Buffer
	text := slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}})
	return slog.New(envelope.LogHandler(withIDs{text})), func() []string {
		defer out.Reset()
		return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	}
}

// A line in a handler has the process, and the IDs of its span if it is traced.
func TestLinesOfHandlers(t *testing.T) {
	rec := record(t)
	sys := rec.system()
	logger, lines := logging()
	kind := newKind[job](t, sys, "guild", mailbox.WithPassivation(time.Hour))
	guild, err := kind.SpawnInstance("14", func(ctx context.Context, _ mailbox.Ref[job]) (mailbox.Instance[job], error) {
		logger.InfoContext(ctx, "made")
		save := func(ctx context.Context) error {
			logger.InfoContext(ctx, "saved")
			return nil
		}
		return mailbox.Instance[job]{Handle: do, Save: save, Close: save}, nil
	})
	require.NoError(t, err)
	say := func(ctx context.Context) error {
		logger.InfoContext(ctx, "handled", "n", 1)
		return nil
	}
	const process = "waybill.process.kind=guild waybill.process.id=14"
	sendAll(t, guild, say, func(ctx context.Context) error {
		type key struct{}
		ctx, cancel := context.WithTimeout(context.WithValue(ctx, key{}, 1), time.Hour)
		defer cancel()
		return say(ctx)
	})
	_, err = call(t.Context(), guild, func(ctx context.Context, r mailbox.Reply[int]) error {
		return errors.Join(say(ctx), answer(ctx, r)) // In this order, so that the line is there after the call.
	})
	require.NoError(t, err)
	assert.Equal(t, []string{
		"msg=made " + process, "msg=handled n=1 " + process, "msg=handled n=1 " + process, "msg=handled n=1 " + process,
	}, lines())

	rec.sent(guild, say, func(ctx context.Context) error {
		ctx, span := rec.tracer.Start(ctx, "below")
		defer span.End()
		return say(ctx)
	})
	drain(t, sys)
	spans := rec.all("guild job")
	require.Len(t, spans, 2)
	ids := func(sc trace.SpanContext) string {
		return fmt.Sprintf(" trace_id=%v span_id=%v", sc.TraceID(), sc.SpanID())
	}
	assert.Equal(t, []string{
		"msg=handled n=1 " + process + ids(spans[0].SpanContext),
		"msg=handled n=1 " + process + ids(rec.one("below").SpanContext),
		"msg=saved " + process, "msg=saved " + process,
	}, lines())
	logger.InfoContext(t.Context(), "elsewhere")
	assert.Equal(t, []string{"msg=elsewhere"}, lines())
}

// The process stands outside of groups, and in the place that it has without them.
func TestLinesOfHandlersInGroups(t *testing.T) {
	sys := newSystem(t)
	logger, lines := logging()
	const process = "waybill.process.kind=guild waybill.process.id=14"
	for want, logger := range map[string]*slog.Logger{
		"msg=line a=1 b=2 " + process:              logger.With("a", 1),
		"msg=line " + process + " g.b=2":           logger.WithGroup("g"),
		"msg=line a=1 " + process + " g.c=3 g.b=2": logger.With("a", 1).WithGroup("g").With("c", 3),
		"msg=line " + process + " g.h.b=2":         logger.WithGroup("g").WithGroup("h"),
		"msg=line b=2 " + process:                  logger.WithGroup(""),
	} {
		ref := spawnAs(t, sys, "guild", "14", do)
		sendAll(t, ref, func(ctx context.Context) error {
			logger.InfoContext(ctx, "line", "b", 2)
			return nil
		})
		require.NoError(t, ref.Stop(context.Background()))
		assert.Equal(t, []string{want}, lines())
		logger.InfoContext(t.Context(), "line", "b", 2)
		assert.Equal(t, []string{strings.ReplaceAll(want, " "+process, "")}, lines(), "outside of handlers")
	}
	nameless := spawn(t, sys, "guild", do)
	sendAll(t, nameless, func(ctx context.Context) error {
		logger.InfoContext(ctx, "line")
		return nil
	})
	drain(t, sys)
	assert.Equal(t, []string{"msg=line waybill.process.kind=guild"}, lines())
}
