// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"sync"
	"weak"
)

// maxStreams bounds the streams of events to browsers, of all pages together.
const maxStreams = 32

var (
	errManyStreams = errors.New("too many pages are watching: close some of them")
	errEnding      = errors.New("the program is about to end")
)

// streams are the streams of events to browsers that are open.
type streams struct {
	mu    sync.Mutex
	ended bool
	open  map[*stream]struct{}
	// servers are those that have had a stream, and whether they are being shut down. A
	// server that is no more is not held.
	servers map[weak.Pointer[http.Server]]bool
}

// stream is one of them.
type stream struct {
	server weak.Pointer[http.Server] // nil if that is not known
	cancel context.CancelFunc
}

// add adds a stream to whoever sent r. The context that it returns ends when that has gone,
// when the console or the server is shut down, and when the caller calls done, which it has
// to.
func (s *streams) add(r *http.Request) (ctx context.Context, done func(), err error) {
	added := &stream{}
	server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	if server != nil {
		added.server = weak.Make(server)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended || s.servers[added.server]:
		return nil, nil, errEnding
	case len(s.open) >= maxStreams:
		return nil, nil, errManyStreams
	}
	if _, known := s.servers[added.server]; !known && server != nil {
		maps.DeleteFunc(s.servers, func(old weak.Pointer[http.Server], _ bool) bool { return old.Value() == nil })
		s.servers[added.server] = false
		server.RegisterOnShutdown(func() { s.endServer(added.server) }) // Shutdown waits for all requests, and these have no end.
	}
	ctx, added.cancel = context.WithCancel(r.Context())
	s.open[added] = struct{}{}
	return ctx, func() { s.remove(added) }, nil
}

func (s *streams) remove(old *stream) {
	old.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, old)
}

// endServer ends the streams of one server.
func (s *streams) endServer(server weak.Pointer[http.Server]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.servers[server] = true
	for open := range s.open {
		if open.server == server {
			open.cancel()
		}
	}
}

// end ends all streams, and refuses new ones.
func (s *streams) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for open := range s.open {
		open.cancel()
	}
}
