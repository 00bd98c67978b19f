// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package natstest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

const (
	// startTimeout is how long a server may take until clients can connect. A machine that
	// is busy with other tests is slow.
	startTimeout = 20 * time.Second
	// portTimeout is how long a server that restarts waits for its port.
	portTimeout = 10 * time.Second
	// pollInterval is how long a look at something that others change is apart from the next.
	pollInterval = 10 * time.Millisecond
	// reconnectWait is how long clients wait before they try to connect again.
	reconnectWait = 20 * time.Millisecond

	maxMemoryStore = 64 << 20
	maxFileStore   = 512 << 20
)

// ErrNotReady is returned by Run if the server does not accept clients in time.
var ErrNotReady = errors.New("natstest: the server does not accept clients")

// Options say how a server runs. The zero value is a plain server on a free port.
type Options struct {
	// JetStream switches JetStream on.
	JetStream bool
	// StoreDir is the directory of JetStream's files. If it is empty, Start makes one and
	// removes it when the test ends. Run needs it.
	StoreDir string
	// Port is the port on 127.0.0.1. Zero is any free one.
	Port int
	// Change may change any other option of the server. It may be nil.
	Change func(*server.Options)
}

// Server is a NATS server inside this program.
type Server struct {
	options Options // With the port that was found.

	mu     sync.Mutex
	server *server.Server // Nil while it is stopped.
}

// Start runs a server until the test ends.
func Start(t testing.TB, options Options) *Server {
	t.Helper()
	if options.JetStream && options.StoreDir == "" {
		options.StoreDir = storeDir(t)
	}
	s, err := Run(options)
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	return s
}

// storeDir makes a directory that is removed when the test ends. The server writes for a moment
// after it has shut down, so the removal is tried again; that of t.TempDir would fail the test.
func storeDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "natstest") //nolint:usetesting // See above.
	require.NoError(t, err)
	t.Cleanup(func() {
		for end := time.Now().Add(startTimeout); ; time.Sleep(pollInterval) {
			err := os.RemoveAll(dir)
			if err == nil {
				return
			}
			if time.Now().After(end) {
				t.Errorf("natstest: the store: %v", err)
				return
			}
		}
	})
	return dir
}

// Run runs a server until Stop is called: for programs of a test that are not the test itself.
func Run(options Options) (*Server, error) {
	s := &Server{options: options}
	if err := s.run(); err != nil {
		return nil, err
	}
	return s, nil
}

// run starts the server, and keeps the port that it got.
func (s *Server) run() error {
	port := s.options.Port
	if port == 0 {
		port = server.RANDOM_PORT
	} else if err := awaitPort(port); err != nil {
		return err
	}
	o := &server.Options{
		Host:               "127.0.0.1",
		Port:               port,
		NoLog:              true,
		NoSigs:             true,
		JetStream:          s.options.JetStream,
		StoreDir:           s.options.StoreDir,
		JetStreamMaxMemory: maxMemoryStore,
		JetStreamMaxStore:  maxFileStore,
	}
	if s.options.Change != nil {
		s.options.Change(o)
	}
	running, err := server.NewServer(o)
	if err != nil {
		return fmt.Errorf("natstest: %w", err)
	}
	running.Start()
	addr, isTCP := running.Addr().(*net.TCPAddr)
	if !running.ReadyForConnections(startTimeout) || !isTCP {
		running.Shutdown()
		running.WaitForShutdown()
		return ErrNotReady
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.Port, s.server = addr.Port, running
	return nil
}

// awaitPort waits until the port can be listened on. The server ends the whole program if it
// cannot, and the port may still be held for a moment.
func awaitPort(port int) error {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	for end := time.Now().Add(portTimeout); ; time.Sleep(pollInterval) {
		l, err := net.Listen("tcp", address) //nolint:noctx // It does not wait.
		if err == nil {
			return l.Close()
		}
		if time.Now().After(end) {
			return fmt.Errorf("natstest: the server's port: %w", err)
		}
	}
}

// Addr is the address of the server, as host and port. It stays the same.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.options.Port))
}

// URL is what clients connect to. It stays the same.
func (s *Server) URL() string { return "nats://" + s.Addr() }

// Conn connects to the server until the test ends. The client tries for ever to connect again.
// The options come after those of this package, and so replace them.
func (s *Server) Conn(t testing.TB, options ...nats.Option) *nats.Conn {
	t.Helper()
	return connect(t, s.URL(), options)
}

// Stop ends the server, and every connection with it. What JetStream stored stays. It returns
// when the server has ended, and does nothing if the server is stopped.
func (s *Server) Stop() {
	s.mu.Lock()
	running := s.server
	s.server = nil
	s.mu.Unlock()
	if running != nil {
		running.Shutdown()
		running.WaitForShutdown()
	}
}

// Restart stops the server, if it runs, and runs it again on the same port, with the same store.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop()
	require.NoError(t, s.run())
}

// Server is the running server, for what only it knows. It is nil while the server is stopped.
func (s *Server) Server() *server.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server
}

// connect connects to a server until the test ends.
func connect(t testing.TB, url string, options []nats.Option) *nats.Conn {
	t.Helper()
	conn, err := Connect(url, options...)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

// Connect connects as Conn does, for programs of a test that are not the test itself.
func Connect(url string, options ...nats.Option) (*nats.Conn, error) {
	patient := []nats.Option{
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(0, 0),
		nats.Timeout(startTimeout),
	}
	return nats.Connect(url, append(patient, options...)...)
}
