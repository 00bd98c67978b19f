// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/envelope"
	"github.com/waybill-go/waybill/envelope/wire"
)

// shipment is what the peers of a fleet send each other.
type shipment struct{ Writer, Reader, Number int }

// How far a peer has been upgraded. An old one knows nothing of envelopes. A new
// writer writes bare until it is switched; a new reader takes both.
const (
	oldPeer int32 = iota
	newPeer
	wrappingPeer
)

const (
	peersPerSide = 2
	inFlight     = 8 // Shipments under way on one link, at most.
)

// side is one peer. Upgrades, rollbacks and switches change its level while it
// works.
type side struct {
	level    atomic.Int32
	counters wire.Counters
}

// link is what one writer sends one reader: in order, as fast as that takes it.
type link struct {
	send    func(shipment) error
	receive func() (m shipment, traced bool, err error)
	end     func() // Has receive return io.EOF once everything was received.
	window  chan struct{}

	mu             sync.Mutex
	stopped        bool
	begun, handled int
	lost, traced   int           // Of those handled.
	target         int           // What handled has to come to,
	reached        chan struct{} // which closes this.
	failed         error         // What ended its writer.
}

// fleet is every writer with a link to every reader, and traffic on all of them
// from its start to its end.
type fleet struct {
	writers, readers [peersPerSide]side
	links            []*link
	goroutines       sync.WaitGroup
	sender           context.Context // All shipments are sent from one.
}

// startFleet starts old peers with links that connect makes.
func startFleet(t *testing.T, connect func(*testing.T, *fleet, *side, *side) *link) *fleet {
	t.Helper()
	f := &fleet{sender: sampledContext(t)}
	for w := range f.writers {
		for r := range f.readers {
			l := connect(t, f, &f.writers[w], &f.readers[r])
			l.window = make(chan struct{}, inFlight)
			f.links = append(f.links, l)
			f.goroutines.Go(func() { l.write(shipment{Writer: w, Reader: r}) })
			f.goroutines.Go(func() { l.read(shipment{Writer: w, Reader: r}) })
		}
	}
	return f
}

// begin counts a shipment before its writer looks at its own level, and reports
// whether there is to be one.
func (l *link) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return false
	}
	l.begun++
	return true
}

func (l *link) write(m shipment) {
	defer l.end()
	for l.begin() {
		m.Number++
		l.window <- struct{}{}
		if err := l.send(m); err != nil {
			l.mu.Lock()
			l.failed = err
			l.mu.Unlock()
			return
		}
	}
}

// read handles what arrives: what cannot be read, or is not what was sent, is
// lost.
func (l *link) read(want shipment) {
	for {
		m, traced, err := l.receive()
		if err == io.EOF {
			return
		}
		want.Number++
		l.mu.Lock()
		if err != nil || m != want {
			l.lost++
		} else if traced {
			l.traced++
		}
		if l.handled++; l.handled == l.target {
			close(l.reached)
		}
		l.mu.Unlock()
		<-l.window
	}
}

// settle waits until every shipment that was begun before has been handled, and
// some that were begun after.
func (f *fleet) settle() {
	for _, l := range f.links {
		l.mu.Lock()
		l.target, l.reached = l.begun+2, make(chan struct{})
		l.mu.Unlock()
	}
	for _, l := range f.links {
		<-l.reached
	}
}

// stop ends the traffic, and returns when everything has arrived.
func (f *fleet) stop(t *testing.T) {
	t.Helper()
	for _, l := range f.links {
		l.mu.Lock()
		l.stopped = true
		l.mu.Unlock()
	}
	f.goroutines.Wait()
	for _, l := range f.links {
		require.NoError(t, l.failed)
		assert.Equal(t, l.begun, l.handled)
	}
}

// fates returns how many shipments were lost so far, and how many arrived with
// their trace.
func (f *fleet) fates() (lost, traced int) {
	for _, l := range f.links {
		l.mu.Lock()
		lost += l.lost
		traced += l.traced
		l.mu.Unlock()
	}
	return lost, traced
}

// countAll adds up a figure of all peers of one side.
func countAll(sides *[peersPerSide]side, figure func(wire.Counts) uint64) (n int) {
	for i := range sides {
		n += int(figure(sides[i].counters.Counts()))
	}
	return n
}

func (f *fleet) bare() int {
	return countAll(&f.readers, func(c wire.Counts) uint64 { return c.Bare })
}

func (f *fleet) wrapped() int {
	return countAll(&f.readers, func(c wire.Counts) uint64 { return c.Wrapped })
}

func (f *fleet) writtenWrapped() int {
	return countAll(&f.writers, func(c wire.Counts) uint64 { return c.WrittenWrapped })
}

// isTraced reports whether an envelope brought the trace that it was sent in.
func (f *fleet) isTraced(e envelope.Envelope[shipment]) bool {
	return e.Header().Sampled() &&
		e.Header().SpanContext().TraceID() == trace.SpanContextFromContext(f.sender).TraceID()
}

// overTCP connects peers by a connection that carries frames of bytes: JSON as
// the old peers know it, or what a Config makes of it.
func overTCP(form wire.Form) func(*testing.T, *fleet, *side, *side) *link {
	return func(t *testing.T, f *fleet, writer, reader *side) *link {
		t.Helper()
		out, in := pipe(t)
		wires := map[*side]wire.Config[shipment]{}
		for _, s := range []*side{writer, reader} {
			wires[s] = wire.Config[shipment]{
				Form: form, Counters: &s.counters, Wrap: func() bool { return s.level.Load() == wrappingPeer },
			}
		}
		send := func(m shipment) (err error) {
			var data []byte
			if writer.level.Load() == oldPeer {
				data, err = json.Marshal(m)
			} else {
				data, err = wires[writer].Append(nil, envelope.Wrap(f.sender, m))
			}
			if err != nil {
				return err
			}
			_, err = out.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...))
			return err
		}
		receive := func() (m shipment, traced bool, err error) {
			var size [4]byte
			if _, err := io.ReadFull(in, size[:]); err != nil {
				return m, false, io.EOF
			}
			data := make([]byte, binary.BigEndian.Uint32(size[:]))
			if _, err := io.ReadFull(in, data); err != nil {
				return m, false, err
			}
			if reader.level.Load() == oldPeer {
				err = json.Unmarshal(data, &m)
				return m, false, err
			}
			e, err := wires[reader].Decode(data)
			return e.Message(), f.isTraced(e), err
		}
		return &link{send: send, receive: receive, end: func() { _ = out.Close() }}
	}
}

// pipe returns the two ends of a connection over the loopback interface.
func pipe(t *testing.T) (out, in net.Conn) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	out, err = (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	in, err = listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = out.Close(), in.Close() })
	return out, in
}

// inMemory connects peers by a channel whose type could not change.
func inMemory(_ *testing.T, f *fleet, writer, reader *side) *link {
	ch := make(chan any, inFlight)
	send := func(m shipment) error {
		if writer.level.Load() == wrappingPeer {
			ch <- envelope.Wrap(f.sender, m)
		} else {
			ch <- m
		}
		return nil
	}
	receive := func() (m shipment, traced bool, err error) {
		v, ok := <-ch
		switch {
		case !ok:
			return m, false, io.EOF
		case reader.level.Load() == oldPeer:
			m, _ = v.(shipment)
			return m, false, nil
		}
		e, err := envelope.From[shipment](v)
		return e.Message(), f.isTraced(e), err
	}
	return &link{send: send, receive: receive, end: func() { close(ch) }}
}
