// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/examples/guild/internal/chat"
)

// followers are WebSocket clients of a program that comes and goes. Each takes all
// messages of guild 1, and connects again when it loses its connection.
type followers struct {
	t       *testing.T
	ctx     context.Context // Ends all.
	stop    context.CancelFunc
	addr    atomic.Pointer[string] // HOST:PORT of the program
	http    *http.Client
	running sync.WaitGroup
	lost    atomic.Int64 // connections
	all     []*follower
}

type follower struct {
	mu    sync.Mutex
	got   []string // contents, that of message 1 first
	moved chan struct{}
	pause chan struct{} // closed when it may read, if there is one
}

func newFollowers(t *testing.T, addr string) *followers {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
	f := &followers{t: t, ctx: ctx, stop: cancel, http: &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, DialContext: dialWithLittleRoom,
	}}}
	f.addr.Store(&addr)
	t.Cleanup(func() { cancel(); f.running.Wait() })
	return f
}

// dialWithLittleRoom connects with a small buffer for what was not read yet. Buffers that grow
// take megabytes until a client that does not read holds anybody up.
func dialWithLittleRoom(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if tcp, ok := conn.(*net.TCPConn); ok {
		err = tcp.SetReadBuffer(16 << 10)
	}
	return conn, err
}

// add adds one that does not read before pause is closed, if that is not nil.
func (f *followers) add(pause chan struct{}) {
	one := &follower{moved: make(chan struct{}, 1), pause: pause}
	f.all = append(f.all, one)
	f.running.Go(func() {
		for f.ctx.Err() == nil {
			f.follow(one)
			f.lost.Add(1)
			select { // It is no use to hurry.
			case <-time.After(20 * time.Millisecond):
			case <-f.ctx.Done():
			}
		}
	})
}

// follow connects and reads until the connection is lost.
func (f *followers) follow(one *follower) {
	url := fmt.Sprintf("ws://%s/ws?guild=1&since=%d", *f.addr.Load(), len(one.got))
	conn, _, err := websocket.Dial(f.ctx, url, &websocket.DialOptions{HTTPClient: f.http}) //nolint:bodyclose // Dial does.
	if err != nil {
		return
	}
	defer conn.CloseNow() //nolint:errcheck // It only ends.
	if one.pause != nil {
		select {
		case <-one.pause:
		case <-f.ctx.Done():
		}
	}
	for {
		_, data, err := conn.Read(f.ctx)
		if err != nil {
			return
		}
		e, err := chat.Decode(data)
		assert.NoError(f.t, err)
		switch e := e.(type) {
		case *chat.Ready:
			assert.EqualValues(f.t, len(one.got), e.Last, "it goes on from where it was")
		case *chat.MessageCreate:
			if !assert.EqualValues(f.t, len(one.got)+1, e.Seq, "each once and in order") {
				return
			}
			one.take(e.Content)
		}
	}
}

func (f *follower) take(content string) {
	f.mu.Lock()
	f.got = append(f.got, content)
	f.mu.Unlock()
	select {
	case f.moved <- struct{}{}:
	default:
	}
}

// contents waits for the first n messages of each, and returns them.
func (f *followers) contents(n int64) (contents [][]string) {
	f.t.Helper()
	for _, one := range f.all {
		for {
			one.mu.Lock()
			got := one.got
			one.mu.Unlock()
			if int64(len(got)) >= n {
				contents = append(contents, got[:n])
				break
			}
			select {
			case <-one.moved:
			case <-f.ctx.Done():
				assert.Failf(f.t, "messages did not come", "%d of %d", len(got), n)
				return nil
			}
		}
	}
	return contents
}
