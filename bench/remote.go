// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote"
)

// remoteMessage is a message to another machine, as a chat has it.
type remoteMessage struct {
	Channel string `json:"channel"`
	Author  int    `json:"author"`
	Text    string `json:"text"`
}

func newRemoteMessage(author int) remoteMessage {
	return remoteMessage{"general", author, "hello, everybody: the meeting begins at nine"}
}

// remoteSubject is where all messages go. Each variant has a server of its own.
const remoteSubject = "receiver"

// remoteSendRow measures sends to a process of another machine until all are handled. Both
// sides have a server within the program, and two connections to it over loopback. They send
// the same JSON, which both write for each message and read again. On the raw side, a
// subscription handles the messages. The naive side is that with OpenTelemetry in the headers
// of every message.
func remoteSendRow(name, clockName string, clock func() time.Duration, ratios ...ratio) row {
	by := func(set func(int) (*contender, error)) func(int) (*contender, error) {
		return func(size int) (*contender, error) {
			c, err := set(size)
			if err == nil {
				c.timed = clock
			}
			return c, err
		}
	}
	return row{
		name: name, about: "one sender to one process over NATS, until all is handled; " + clockName, size: 1, ratios: ratios,
		variants: []variant{
			{raw, by(rawRemoteSend)},
			{naive, by(naiveRemoteSend)},
			{oursUntraced, by(ourRemoteSend(untraced))},
			{oursSampled, by(ourRemoteSend(sampled))},
		},
	}
}

// remoteCallRow measures the calls of one caller to a process of another machine. On the raw
// side, they are requests of NATS.
func remoteCallRow(ratios ...ratio) row {
	return row{
		name: "remote-call", about: "a call over NATS and its reply", size: 1, ratios: ratios,
		variants: []variant{{raw, rawRemoteCall}, {oursUntraced, ourRemoteCall(untraced)}, {oursSampled, ourRemoteCall(sampled)}},
	}
}

// wire is a server of NATS and connections to it.
type wire struct {
	server *server.Server
	conns  []*nats.Conn
}

const natsTimeout = 10 * time.Second

// newWire starts a server with a number of connections.
func newWire(connections int) (*wire, error) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	if err != nil {
		return nil, err
	}
	w := &wire{server: s}
	s.Start()
	if !s.ReadyForConnections(natsTimeout) {
		w.close()
		return nil, errors.New("the server of NATS does not start")
	}
	for range connections {
		conn, err := nats.Connect(s.ClientURL())
		if err != nil {
			w.close()
			return nil, err
		}
		w.conns = append(w.conns, conn)
	}
	return w, nil
}

func (w *wire) close() {
	for _, conn := range w.conns {
		conn.Close()
	}
	w.server.Shutdown()
	w.server.WaitForShutdown()
}

// subscribe handles what comes on the subject of the last connection.
func (w *wire) subscribe(handle nats.MsgHandler) error {
	conn := w.conns[len(w.conns)-1]
	if _, err := conn.Subscribe(remoteSubject, handle); err != nil {
		return err
	}
	return conn.Flush()
}

func rawRemoteSend(int) (*contender, error) {
	return plainRemoteSend(func() nats.Header { return nil }, func(nats.Header) {})
}

func naiveRemoteSend(int) (*contender, error) {
	otel := newTelemetry(sampled)
	c, err := plainRemoteSend(func() nats.Header {
		h := nats.Header{}
		propagation.TraceContext{}.Inject(otel.ctx, propagation.HeaderCarrier(h))
		return h
	}, func(h nats.Header) {
		ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.HeaderCarrier(h))
		_, span := otel.tracer.Start(ctx, "handle message", trace.WithSpanKind(trace.SpanKindConsumer))
		span.End()
	})
	if err == nil {
		c.traces, c.spans = otel, [2]int{1, 1}
	}
	return c, err
}

// plainRemoteSend sends and receives by NATS alone, with headers.
func plainRemoteSend(header func() nats.Header, received func(nats.Header)) (*contender, error) {
	w, err := newWire(2)
	if err != nil {
		return nil, err
	}
	t := newTally()
	err = w.subscribe(func(m *nats.Msg) {
		var message remoteMessage
		if json.Unmarshal(m.Data, &message) == nil {
			received(m.Header)
			t.take()
		}
	})
	if err != nil {
		return nil, err
	}
	return &contender{
		run: func(times int) error {
			t.expect(times)
			for i := range times {
				data, err := json.Marshal(newRemoteMessage(i))
				if err == nil {
					err = w.conns[0].PublishMsg(&nats.Msg{Subject: remoteSubject, Header: header(), Data: data})
				}
				if err != nil {
					return err // The messages that were not sent would never be handled.
				}
			}
			t.wait()
			return nil
		},
		handled: t.handled,
		tear:    func() error { w.close(); return nil },
	}, nil
}

func rawRemoteCall(int) (*contender, error) {
	w, err := newWire(2)
	if err != nil {
		return nil, err
	}
	t := newTally()
	err = w.subscribe(func(m *nats.Msg) {
		var message remoteMessage
		if json.Unmarshal(m.Data, &message) != nil {
			return
		}
		t.take()
		data, err := json.Marshal(message.Author)
		if err == nil {
			_ = m.Respond(data) // The caller notices.
		}
	})
	if err != nil {
		return nil, err
	}
	return &contender{
		run: func(times int) error {
			return calls(times, func(id int) (got int, err error) {
				data, err := json.Marshal(newRemoteMessage(id))
				if err != nil {
					return 0, err
				}
				m, err := w.conns[0].Request(remoteSubject, data, natsTimeout)
				if err != nil {
					return 0, err
				}
				err = json.Unmarshal(m.Data, &got)
				return got, err
			})
		},
		handled: t.handled,
		tear:    func() error { w.close(); return nil },
	}, nil
}

// machine is a system of processes with a connection of its own.
type machine struct {
	sys  *mailbox.System
	node *remote.Node
}

func newMachine(conn *nats.Conn, otel *telemetry) (machine, error) {
	sys := mailbox.NewSystem(mailbox.WithTracerProvider(otel.provider))
	node, err := remote.NewNode(sys, conn, remote.WithTracerProvider(otel.provider))
	return machine{sys, node}, err
}

func (m machine) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), natsTimeout)
	defer cancel()
	return errors.Join(m.sys.Shutdown(ctx), m.node.Close(ctx))
}

// newMachines starts a server and machines that are connected to it. end ends all.
func newMachines(n int, otel *telemetry) (machines []machine, w *wire, end func() error, err error) {
	if w, err = newWire(n); err != nil {
		return nil, nil, nil, err
	}
	for _, conn := range w.conns {
		m, err := newMachine(conn, otel)
		if err != nil {
			return nil, nil, nil, err
		}
		machines = append(machines, m)
	}
	return machines, w, func() error {
		var err error
		for _, m := range machines {
			err = errors.Join(err, m.close())
		}
		w.close()
		return err
	}, nil
}

// newServed starts two machines, and a process on the second one. It returns a reference from
// the first.
func newServed[M any](
	otel *telemetry, protocol remote.Protocol[M], handle mailbox.Handler[M],
) (ref mailbox.Ref[M], end func() error, err error) {
	machines, w, end, err := newMachines(2, otel)
	if err != nil {
		return ref, nil, err
	}
	to, err := mailbox.Spawn(machines[1].sys, "receiver", handle, mailbox.WithCapacity(sendCapacity))
	if err == nil {
		_, err = remote.Serve(machines[1].node, remoteSubject, to, protocol)
	}
	if err == nil {
		err = w.conns[1].Flush()
	}
	if err == nil {
		ref, err = remote.NewRef(machines[0].node, "receiver", remoteSubject, protocol, mailbox.WithCapacity(sendCapacity))
	}
	return ref, end, err
}

func ourRemoteSend(tr tracing) func(int) (*contender, error) {
	return func(int) (*contender, error) {
		t, otel := newTally(), newTelemetry(tr)
		to, end, err := newServed(otel, remote.Protocol[remoteMessage]{}, func(context.Context, remoteMessage) error {
			t.take()
			return nil
		})
		if err != nil {
			return nil, err
		}
		c := &contender{
			run: func(times int) error {
				t.expect(times)
				for i := range times {
					if err := to.Send(otel.ctx, newRemoteMessage(i)); err != nil {
						return err // The messages that were not sent would never be handled.
					}
				}
				t.wait()
				return nil
			},
			handled: t.handled, tear: end, traces: otel,
		}
		if tr == sampled {
			c.spans = [2]int{1, 1}
		}
		return c, nil
	}
}

// remoteRequest is a message that is answered with its author.
type remoteRequest struct {
	remoteMessage

	reply mailbox.Reply[int]
}

func ourRemoteCall(tr tracing) func(int) (*contender, error) {
	return func(int) (*contender, error) {
		t, otel := newTally(), newTelemetry(tr)
		protocol := remote.Protocol[remoteRequest]{Calls: []remote.CallType[remoteRequest]{
			remote.Answered[remoteRequest](func(q *remoteRequest) *mailbox.Reply[int] { return &q.reply }, nil),
		}}
		to, end, err := newServed(otel, protocol, func(_ context.Context, r remoteRequest) error {
			t.take()
			if !r.reply.Answer(r.Author) {
				return fmt.Errorf("%w: nobody waits for %d", errEffect, r.Author)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		c := &contender{
			run: func(times int) error {
				return calls(times, func(id int) (int, error) {
					return mailbox.Call(otel.ctx, to, func(reply mailbox.Reply[int]) remoteRequest {
						return remoteRequest{newRemoteMessage(id), reply}
					})
				})
			},
			handled: t.handled, tear: end, traces: otel,
		}
		if tr == sampled { // The call's, and the handling's.
			c.spans = [2]int{2, 2}
		}
		return c, nil
	}
}
