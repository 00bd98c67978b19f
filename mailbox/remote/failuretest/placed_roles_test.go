// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package failuretest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/placement"
)

const (
	// lease is how long an owner may act after its last sign of life.
	lease = time.Second
	// actTime is how long an owner takes until it acts for an order.
	actTime = 15 * time.Millisecond
)

// act is what an owner does outside for an order: it tells the store of the test.
type act struct {
	ID    string
	Node  string
	Token uint64
	Seq   int64
}

// actsSubject is where the store of the test is asked.
const actsSubject = "acts"

var errRefused = errors.New("the store refused it")

// actOn does something in the store outside. ctx ends when its process is killed.
func actOn(ctx context.Context, conn *nats.Conn, a act) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, err := conn.RequestWithContext(ctx, actsSubject, data)
	if err != nil {
		return err
	}
	if string(m.Data) != "accepted" {
		return errRefused
	}
	return nil
}

// accounts is a node's part of the kind of processes that the tests place.
type accounts struct {
	p      *inside
	conn   *nats.Conn
	states *placement.State
}

// factory loads the number of the last order, and says so.
func (a *accounts) factory(ctx context.Context, self mailbox.Ref[order]) (mailbox.Instance[order], error) {
	data, err := a.states.Load(ctx)
	if err != nil {
		return mailbox.Instance[order]{}, err
	}
	token, _ := placement.Token(ctx)
	last, _ := strconv.ParseInt(string(data), 10, 64) // Zero if there was nothing.
	a.p.say(report{What: "loaded", Member: self.ID(), Seq: last, Token: token})
	return mailbox.Instance[order]{Handle: func(ctx context.Context, o order) error {
		token, placed := placement.Token(ctx)
		if !placed {
			return placement.ErrNotPlaced
		}
		time.Sleep(actTime) // It may be stopped between the look at its lease and the act.
		if err := actOn(ctx, a.conn, act{ID: self.ID(), Node: a.p.Name, Token: token, Seq: o.Seq}); err != nil {
			return err
		}
		return a.states.Save(ctx, fmt.Append(nil, o.Seq))
	}}, nil
}

// runOwner is a node that offers to run accounts.
func runOwner(ctx context.Context, p *inside) (err error) {
	n, err := newNode(p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	js, err := jetstream.New(n.Conn())
	if err != nil {
		return err
	}
	states, err := placement.NewState(ctx, js, placement.StateConfig{})
	if err != nil {
		return err
	}
	a := &accounts{p: p, conn: n.Conn(), states: states}
	kind, err := newAccounts(ctx, n, a.factory)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience) // It handles what it has.
		defer cancel()
		err = errors.Join(err, kind.Close(ctx))
	}()
	return p.serve(map[string]func() report{"counts": func() report {
		text, err := json.Marshal(kind.Stats())
		if err != nil {
			panic(err)
		}
		return report{Text: string(text)}
	}})
}
