// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/waybill-go/waybill/internal/header"
)

// Read reads a message as one that was delivered.
func Read[M any](config Config[M], msg *nats.Msg) (message M, h *header.Header, reason string, err error) {
	q, err := New(stub{}, config)
	if err != nil {
		return message, nil, "", err
	}
	c := &Consumer[M]{queue: q}
	d := &delivery[M]{consumer: c}
	why, err := c.read(d, msg, arrival)
	return d.message, d.header, string(why), err
}

// ReadPast reads a note about a message. It returns the number of deliveries handed back, and
// whether there is a link.
func ReadPast(data []byte) (returned uint64, linked bool, err error) {
	p, err := readPast(data)
	return p.Returned, p.failed().IsValid(), err
}

var (
	Others  = others
	Cut     = cut
	Matches = matches
)

// stub is a JetStream that nobody talks to.
type stub struct{ jetstream.JetStream }

var arrival = time.Unix(1_800_000_000, 0)

// Again has a message come again as soon as the server is told to deliver it again, before its
// consumer is done with it. It reports whether the consumer holds the delivery in the end.
func Again[M any](config Config[M], first, second *nats.Msg) bool {
	q, err := New(stub{}, config)
	if err != nil {
		return false
	}
	c := &Consumer[M]{queue: q, held: make(map[uint64]*delivery[M])}
	one, two := &delivery[M]{msg: first, sequence: 1}, &delivery[M]{msg: second, sequence: 1}
	c.hold(one)
	c.settle(one)
	c.rest(one, 0)
	took := c.hold(two)
	c.release(one, &q.tally.Now.Failed)
	return took && c.held[1] == two && q.Stats().Held == 1
}
