// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlpreceive_test

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waybill-go/waybill/internal/otlpreceive"
)

// TestMemoryIsBoundedUnderAFlood sends the largest requests over many connections at a time. On
// the wire they are small, so that the memory measured is the receiver's.
func TestMemoryIsBoundedUnderAFlood(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("sends gigabytes")
	}
	const senders, each = 32, 2
	traces := oneSpan("of a flood")
	span := traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	for i := range 120 {
		span.Attributes().PutStr(fmt.Sprint("key ", i), strings.Repeat("v", 60<<10))
	}
	plain := asProto(t, traces)
	require.Less(t, len(plain), otlpreceive.MaxRequest)
	body := zipped(t, plain)

	r := otlpreceive.New(func([]sdkSpan) {}, quiet)
	r.SetPatience(time.Minute, time.Minute)
	url, address := serveHTTP(t, r).URL+"/v1/traces", serveGRPC(t, r)
	stop, peak := make(chan struct{}), make(chan uint64)
	go watchHeap(stop, peak)
	var group sync.WaitGroup
	for range senders {
		group.Go(func() {
			for range each {
				got := post(t, url, bytes.NewReader(body), "Content-Type", typeProto, "Content-Encoding", "gzip")
				assert.Equal(t, http.StatusOK, got.code)
			}
		})
	}
	for range senders / 8 { // gRPC's client compresses in memory.
		conn := dial(t, address)
		group.Go(func() {
			for range each {
				err := send(t, conn, exportTraces, plain, grpc.UseCompressor("gzip"))
				assert.Equal(t, codes.OK, status.Code(err), "%v", err)
			}
		})
	}
	group.Wait()
	close(stop)
	total := (senders + senders/8) * each
	assert.EqualValues(t, total, r.Counts().Spans)
	// A place has a body and its zipped form, buffers have grown to twice that, and the garbage
	// collector lets the heap grow to twice what is in use.
	const bound = 2 * otlpreceive.MaxReading * 3 * otlpreceive.MaxRequest
	got := <-peak
	t.Logf("%d MiB at most, of %d MiB sent", got>>20, total*len(plain)>>20)
	assert.Less(t, got, uint64(bound))
}

// watchHeap sends the largest heap that it has seen until stop is closed.
func watchHeap(stop <-chan struct{}, peak chan<- uint64) {
	var most uint64
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			peak <- most
			return
		case <-ticker.C:
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
	}
}
