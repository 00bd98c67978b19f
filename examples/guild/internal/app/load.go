// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/waybill-go/waybill/examples/guild/internal/load"
	"github.com/waybill-go/waybill/examples/guild/internal/nodes"
)

const (
	realClients = 10 // sessions with a WebSocket connection, if there are so many
	inFlight    = 64 // posts that some session has yet to take; a mailbox holds more
)

// postLoad connects the sessions and sends the posts.
type postLoad struct {
	c         Config
	services  *services
	simulated *load.Simulated
	sockets   *load.Sockets
	out       io.Writer
	ledger    *load.Ledger
	expected  int64 // messages that clients are to get
}

func newPostLoad(ctx context.Context, c Config, s *services, ledger *load.Ledger, out io.Writer) (*postLoad, error) {
	simulated, err := load.NewSimulated(ctx, s.sessions)
	return &postLoad{
		c: c, services: s, out: out,
		simulated: simulated,
		sockets:   load.NewSockets(ctx, s.apiAddr),
		ledger:    ledger,
	}, err
}

// connect connects the sessions, spread over the guilds, and returns when all are
// in.
func (l *postLoad) connect(ctx context.Context) error {
	progress := newProgress(l.out, "connecting sessions", l.c.Sessions)
	here := l.here()
	for i := range here {
		c := &load.Client{Ledger: l.ledger, Guild: i%l.c.Guilds + 1, Each: l.each(i)}
		var err error
		if i < realClients {
			err = l.sockets.Connect(ctx, c)
		} else {
			err = l.simulated.Connect(ctx, c)
		}
		if err != nil {
			return err
		}
		progress.at(i)
	}
	if err := l.ledger.WaitJoined(ctx, here); err != nil {
		return err
	}
	if fleet := l.services.fleet.Load(); fleet != nil {
		others := nodes.Clients{
			First: here, End: l.c.Sessions, Guilds: l.c.Guilds,
			SlowFrom: realClients, SlowTo: realClients + l.c.Slow, SlowFor: l.c.SlowFor,
		}
		if err := fleet.Connect(ctx, others, func(joined int) { progress.at(here + joined) }); err != nil {
			return err
		}
	}
	progress.at(l.c.Sessions)
	return nil
}

// here returns how many sessions this process has. With session nodes, those are the real
// clients, which come to the address of the page.
func (l *postLoad) here() int {
	if l.services.fleet.Load() != nil {
		return min(realClients, l.c.Sessions)
	}
	return l.c.Sessions
}

// each returns how long the i-th session takes for a message. The slow ones come
// after the real clients.
func (l *postLoad) each(i int) time.Duration {
	if i >= realClients && i < realClients+l.c.Slow {
		return l.c.SlowFor
	}
	return 0
}

// post sends the posts one after another, spread over the guilds, and waits until
// every session has got all of its guild's. It keeps to what the sessions can
// take: none of them has more than a few to come.
func (l *postLoad) post(ctx context.Context) error {
	if fleet := l.services.fleet.Load(); fleet != nil {
		fleet.Eager(true)
		defer fleet.Eager(false)
	}
	progress := newProgress(l.out, "sending posts", l.c.Posts)
	for i := range l.c.Posts {
		guild := i%l.c.Guilds + 1
		if err := l.ledger.WaitTaken(ctx, inFlight-1, func(int64) { progress.at(i) }); err != nil {
			return errors.Join(err, l.wrong())
		}
		seq, err := l.services.poster.post(ctx, int64(guild), "load", fmt.Sprintf("message %d of the run", i+1))
		if err != nil {
			return err
		}
		l.ledger.Post(guild, seq)
		l.expected += int64(l.clientsOf(guild))
		progress.at(i + 1)
	}
	if l.c.Posts == 0 {
		return nil
	}
	progress = newProgress(l.out, "delivering posts to all sessions", l.c.Posts)
	err := l.ledger.WaitTaken(ctx, 0, func(lacking int64) { progress.at(l.c.Posts - int(lacking)) })
	return errors.Join(err, l.wrong(), l.account(err == nil))
}

// account holds what all clients say that they have got against what was posted. Where a node
// was lost, nobody knows what its clients had got in the end.
func (l *postLoad) account(done bool) error {
	if fleet := l.services.fleet.Load(); !done || fleet != nil && fleet.Losses() > 0 {
		return nil
	}
	if got := l.got(); got < l.expected {
		return fmt.Errorf("clients have got %d messages of the run, and not %d", got, l.expected)
	}
	return nil
}

// got returns how many messages clients have got on all nodes, or were told are gone.
func (l *postLoad) got() int64 {
	all := l.services.total()
	return l.ledger.Taken() + l.ledger.Told() + all.Taken + all.Told
}

// clientsOf returns how many of the clients are in a guild.
func (l *postLoad) clientsOf(guild int) int { return (l.c.Sessions - guild + l.c.Guilds) / l.c.Guilds }

// wrong says what went wrong with sessions so far, on all nodes.
func (l *postLoad) wrong() error {
	all := l.services.total()
	if all.Failure != "" {
		return errors.New(all.Failure)
	}
	return all.Sessions.Err()
}

// summary says what became of all that clients were to get.
func (l *postLoad) summary() string {
	all := l.services.total()
	n := all.Sessions
	return fmt.Sprintf("deliveries: %d taken by the clients, each in its order; %d told that they are gone\n"+
		"          %d of all caught up from the store; %d sessions ended since their clients could not keep up",
		l.ledger.Taken()+all.Taken, l.ledger.Told()+all.Told, n.CaughtUp, n.Behind)
}

// close disconnects the clients.
func (l *postLoad) close(ctx context.Context) error {
	return errors.Join(l.simulated.Close(ctx), l.sockets.Close())
}
