// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/waybill-go/waybill/examples/guild/guildpb"
	"github.com/waybill-go/waybill/examples/guild/internal/api"
	"github.com/waybill-go/waybill/examples/guild/internal/store"
)

// guildService stands in for the real one.
type guildService struct {
	guildpb.UnimplementedGuildsServer

	publish func(ctx context.Context, in *guildpb.PublishRequest) error
}

func (g guildService) Publish(ctx context.Context, in *guildpb.PublishRequest) (*guildpb.PublishResponse, error) {
	return &guildpb.PublishResponse{Recipients: 1, Delivered: 1}, g.publish(ctx, in)
}

// serve serves it at addr until the test ends, or stop.
func (g guildService) serve(t *testing.T, addr string) (stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	server := grpc.NewServer()
	guildpb.RegisterGuildsServer(server, g)
	var serving sync.WaitGroup
	serving.Go(func() { assert.NoError(t, server.Serve(listener)) })
	stop = sync.OnceFunc(func() { server.Stop(); serving.Wait() })
	t.Cleanup(stop)
	return stop
}

// numbers hands the numbers of what is published to the channel.
func numbers(to chan<- int64) guildService {
	return guildService{publish: func(_ context.Context, in *guildpb.PublishRequest) error {
		to <- in.GetSeq()
		return nil
	}}
}

func send(ctx context.Context, t *testing.T, s *api.Service, content string) int {
	t.Helper()
	r := request(t, http.MethodPost, strings.NewReader(fmt.Sprintf(`{"content":%q}`, content)))
	return do(s, r.WithContext(ctx)).Code
}

func end(t *testing.T, s *api.Service, db *store.Store) {
	t.Helper()
	assert.NoError(t, s.Shutdown(t.Context()))
	assert.NoError(t, db.Close(t.Context()))
}

// However many post at once, the guild service gets all in the order of their
// numbers.
func TestPostsAreDeliveredInTheirOrder(t *testing.T) {
	const posters, each = 8, 25
	got := make(chan int64, posters*each)
	addr := nowhere(t)
	numbers(got).serve(t, addr)
	db, log := openStore(t, ""), lines{}
	s := service(t, db, addr, &log)
	var group sync.WaitGroup
	for range posters {
		group.Go(func() {
			for range each {
				assert.Equal(t, http.StatusCreated, send(t.Context(), t, s, "x"))
			}
		})
	}
	group.Wait()
	require.Len(t, got, posters*each)
	for i := range posters * each {
		assert.EqualValues(t, i+1, <-got)
	}
	end(t, s, db)
}

// Who hangs up takes nothing back that is stored.
func TestAPosterWhoHangsUpHasPosted(t *testing.T) {
	ctx, hangUp := context.WithCancel(t.Context())
	addr := nowhere(t)
	published := make(chan int64, 2)
	guildService{publish: func(ctx context.Context, in *guildpb.PublishRequest) error {
		hangUp()
		select { // Time for that to arrive here, if it does at all.
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
		published <- in.GetSeq()
		return ctx.Err()
	}}.serve(t, addr)
	db, log := openStore(t, ""), lines{}
	s := service(t, db, addr, &log)
	assert.Equal(t, http.StatusCreated, send(ctx, t, s, "x"))
	assert.EqualValues(t, 1, <-published)

	// Who hangs up while others come first has posted or not, but not half.
	status := send(ctx, t, s, "y")
	mark, err := db.Mark(t.Context(), 1)
	require.NoError(t, err)
	if status == http.StatusServiceUnavailable {
		assert.EqualValues(t, 1, mark.Last)
	} else {
		assert.Equal(t, http.StatusCreated, status)
		assert.EqualValues(t, 2, <-published)
	}
	end(t, s, db)
}

// What cannot be delivered now is delivered later, before what comes then, and
// with its trace.
func TestWhatIsStoredIsDeliveredLater(t *testing.T) {
	addr, spans := nowhere(t), tracetest.NewSpanRecorder()
	db, log := openStore(t, ""), lines{}
	s := tracedService(t, db, addr, &log, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	require.Equal(t, http.StatusAccepted, send(t.Context(), t, s, "x"))
	trace1 := spans.Ended()[0].SpanContext().TraceID().String()
	require.Equal(t, http.StatusAccepted, send(t.Context(), t, s, "x"))
	got, traces := make(chan int64, 1000), make(chan []string, 1000)
	stop := guildService{publish: func(ctx context.Context, in *guildpb.PublishRequest) error {
		got <- in.GetSeq()
		md, _ := metadata.FromIncomingContext(ctx)
		traces <- md.Get("traceparent")
		return nil
	}}.serve(t, addr)
	assert.EqualValues(t, 1, <-got)
	assert.EqualValues(t, 2, <-got)
	if trace := <-traces; assert.Len(t, trace, 1) {
		assert.Contains(t, trace[0], trace1)
	}
	assert.Equal(t, http.StatusCreated, send(t.Context(), t, s, "x"))
	assert.EqualValues(t, 3, <-got)

	// Only so many wait, and nobody is told that a post is stored when it is not.
	stop()
	stored, refused := 3, 0
	for range 1010 {
		switch status := send(t.Context(), t, s, "x"); status {
		case http.StatusAccepted:
			stored++
		case http.StatusServiceUnavailable:
			refused++
		default:
			assert.Fail(t, "another status", status)
		}
	}
	assert.Equal(t, 10, refused)
	numbers(got).serve(t, addr)
	for i := 3; i < stored; i++ {
		assert.EqualValues(t, i+1, <-got)
	}
	end(t, s, db)
}

// What a crash has left is delivered by the next start, in order.
func TestWhatWasLeftUndeliveredIsDelivered(t *testing.T) {
	file := filepath.Join(t.TempDir(), "posts.db")
	db := openStore(t, file)
	for range 250 {
		p := store.Post{Guild: 1, Author: "ann", Content: "x", Trace: propagation.MapCarrier{}}
		require.NoError(t, db.Add(t.Context(), &p))
	}
	db.Delivered(1, 20)
	require.NoError(t, db.Close(t.Context()))

	db = openStore(t, file)
	got, log, addr := make(chan int64, 250), lines{}, nowhere(t)
	numbers(got).serve(t, addr)
	s := service(t, db, addr, &log)
	for seq := int64(21); seq <= 250; seq++ {
		require.Equal(t, seq, <-got)
	}
	assert.Equal(t, http.StatusCreated, send(t.Context(), t, s, "x"))
	assert.EqualValues(t, 251, <-got)
	end(t, s, db)

	db = openStore(t, file)
	mark, err := db.Mark(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, store.Mark{Guild: 1, Last: 251, Delivered: 251}, mark)
	require.NoError(t, db.Close(t.Context()))
}
