// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Bounds of what goes between nodes.
const (
	maxPayload  = 1 << 20 // bytes of a message. A batch of history of the longest posts takes half of it.
	maxConns    = 256     // of all nodes together
	startTime   = 10 * time.Second
	connectTime = 5 * time.Second
	retryEvery  = 100 * time.Millisecond
)

// Link is how nodes reach each other.
type Link struct {
	URL    string `json:"url"`             // of NATS
	Token  string `json:"token,omitempty"` // for a server of our own
	Prefix string `json:"prefix"`          // of subjects, which tells runs on one server apart
}

// on returns the subject of something of the run.
func (l Link) on(what string) string { return l.Prefix + "." + what }

// broker is a server of NATS inside this process.
type broker struct{ server *server.Server }

// link makes the way between the nodes of a new run: over a server of our own if given is
// empty. That listens on the loopback interface alone, and asks for a token.
func link(given string) (Link, *broker, error) {
	l := Link{URL: given, Prefix: "guild-" + strings.ToLower(rand.Text())}
	if given != "" {
		return l, nil, nil
	}
	l.Token = rand.Text()
	s, err := server.NewServer(&server.Options{
		ServerName: l.Prefix, Host: "127.0.0.1", Port: server.RANDOM_PORT, Authorization: l.Token,
		MaxPayload: maxPayload, MaxConn: maxConns, NoSigs: true, NoLog: true,
	})
	if err != nil {
		return l, nil, fmt.Errorf("start NATS: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(startTime) {
		s.Shutdown()
		return l, nil, errors.New("start NATS: it does not answer")
	}
	l.URL = s.ClientURL()
	return l, &broker{s}, nil
}

// close ends the server, if there is one.
func (b *broker) close() {
	if b != nil {
		b.server.Shutdown()
		b.server.WaitForShutdown()
	}
}

// connect connects a node, which connects again whenever it loses the others.
func (l Link) connect(ctx context.Context, name string, log *slog.Logger) (*nats.Conn, error) {
	options := []nats.Option{
		nats.Name(name), nats.Timeout(connectTime), nats.MaxReconnects(-1), nats.ReconnectWait(retryEvery),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.WarnContext(ctx, "the other nodes are out of reach", slog.Any("error", err))
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { log.InfoContext(ctx, "the other nodes are within reach again") }),
		nats.ErrorHandler(func(_ *nats.Conn, on *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrSlowConsumer) { // Package remote counts what is lost, and tells.
				return
			}
			subject := ""
			if on != nil {
				subject = on.Subject
			}
			log.WarnContext(ctx, "NATS", slog.Any("error", err), slog.String("subject", subject))
		}),
	}
	if l.Token != "" {
		options = append(options, nats.Token(l.Token))
	}
	conn, err := nats.Connect(l.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("cannot reach NATS at %s: %w", l.redacted(), err)
	}
	return conn, nil
}

// reached returns when the server knows what the node subscribes to.
func reached(ctx context.Context, conn *nats.Conn) error {
	flushing, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	if err := conn.FlushWithContext(flushing); err != nil {
		return fmt.Errorf("reach NATS: %w", err)
	}
	return nil
}

// redacted returns the URL without passwords.
func (l Link) redacted() string {
	all := strings.Split(l.URL, ",")
	for i, one := range all {
		if u, err := url.Parse(one); err == nil {
			all[i] = u.Redacted()
		}
	}
	return strings.Join(all, ",")
}
