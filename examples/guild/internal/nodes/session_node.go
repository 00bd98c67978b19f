// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/examples/guild/internal/children"
	"github.com/waybill-go/waybill/examples/guild/internal/load"
	"github.com/waybill-go/waybill/examples/guild/internal/sessions"
	"github.com/waybill-go/waybill/examples/guild/internal/telemetry"
	"github.com/waybill-go/waybill/examples/internal/record"
	"github.com/waybill-go/waybill/internal/traces"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
	"github.com/waybill-go/waybill/sampling"
)

// endTime is how long a session node takes for its end, and killTime how long the guild node
// waits for that.
const (
	endTime  = 3 * time.Second
	killTime = 4 * time.Second
)

// Main is a session node, until the guild node wants it to end, or is gone. It returns the
// exit code.
func Main(stdin io.Reader, stdout, stderr io.Writer) int {
	signal.Ignore(os.Interrupt) // A terminal sends it to all nodes. The guild node says what to do.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, stdin, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "guild: a session node: %v\n", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) error {
	line, ctx, err := children.Attend(ctx, stdin)
	if err != nil {
		return err
	}
	s, err := readSetup(line)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, nil)).With(slog.String("node", Name(s.Number)))
	n := &sessionNode{setup: s, log: log}
	if err = n.start(ctx, stderr); err == nil {
		err = children.Ready(stdout)
	}
	if err == nil {
		<-ctx.Done()
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	ended := n.close(ending)
	if errors.Is(context.Cause(ctx), children.ErrGone) { // Nobody waits for what is left.
		return nil
	}
	return errors.Join(err, ended)
}

// sessionNode is a node with sessions and their clients. Its fields are nil until they have
// begun.
type sessionNode struct {
	setup

	log       *slog.Logger
	spans     *record.Recorder // keeps none, and counts those that are open
	tel       *telemetry.Telemetry
	sampling  *sampling.Control
	conn      *nats.Conn
	sys       *mailbox.System // of what is between sessions and other nodes
	node      *remote.Node
	groups    *Groups
	sessions  *sessions.Service
	ledger    *load.Ledger
	simulated *load.Simulated
	requests  *control
}

func (n *sessionNode) start(ctx context.Context, stderr io.Writer) (err error) {
	n.spans = record.New(traces.Config{})
	n.spans.Forget()
	n.tel = telemetry.New(ctx, telemetry.Config{
		Processors: []sdktrace.SpanProcessor{n.spans},
		Resource:   Resource(n.Number), Collector: &n.Collector,
		Terminal: stderr,
		Warn:     func(text string) { n.log.WarnContext(ctx, text) },
	})
	provider, err := n.tel.Provider(ctx, sessions.Kind, telemetry.Inner())
	if err != nil {
		return err
	}
	if n.sampling, err = sampling.NewControl(n.Sampling); err != nil {
		return err
	}
	if n.conn, err = n.Link.connect(ctx, Name(n.Number), n.log); err != nil {
		return err
	}
	n.sys = mailbox.NewSystem(mailbox.WithTracerProvider(provider), mailbox.WithControl(n.sampling), mailbox.WithLogger(n.log))
	// Those that came before it with the same number are other nodes.
	id := fmt.Sprintf("%s-%d", Name(n.Number), os.Getpid())
	if n.node, err = remote.NewNode(n.sys, n.conn, remote.WithID(id), remote.WithPrefix(n.Link.Prefix),
		remote.WithTracerProvider(provider), remote.WithLogger(n.log)); err != nil {
		return err
	}
	guilds, err := newGuildClient(n.node, n.Link)
	if err != nil {
		return err
	}
	n.groups = newGroups(n.node, n.Guilds, n.sampling, guilds.heads)
	guilds.groups = n.groups
	if n.sessions, err = sessions.New(sessions.Config{
		Directory: guilds, History: guilds, Prefix: fmt.Sprintf("%d-", n.Number), Lossy: true,
		Provider: provider, Control: n.sampling, Logger: n.log,
	}); err != nil {
		return err
	}
	n.ledger = load.NewLedger(n.Guilds)
	if n.simulated, err = load.NewSimulated(ctx, n.sessions); err != nil {
		return err
	}
	if n.requests, err = serveControl(n); err != nil {
		return err
	}
	return reached(ctx, n.conn)
}

// close ends what has begun, in the order in which the work flows.
func (n *sessionNode) close(ctx context.Context) error {
	var errs []error
	if n.requests != nil {
		n.requests.close()
	}
	if n.groups != nil {
		n.groups.close()
	}
	if n.node != nil {
		errs = append(errs, n.node.Close(ctx))
	}
	if n.sessions != nil {
		errs = append(errs, n.sessions.Shutdown(ctx))
	}
	if n.simulated != nil {
		errs = append(errs, n.simulated.Close(ctx))
	}
	if n.sys != nil {
		errs = append(errs, n.sys.Shutdown(ctx))
	}
	if n.conn != nil {
		n.conn.Close()
	}
	return errors.Join(append(errs, n.tel.Shutdown(ctx))...)
}
