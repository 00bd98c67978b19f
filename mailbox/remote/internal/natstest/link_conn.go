// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package natstest

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// linkConn is one connection that a link forwards.
type linkConn struct {
	link *Link
	done chan struct{} // Closed when the connection is reset.

	mu     sync.Mutex
	client net.Conn
	server net.Conn // Nil until it is connected.
	ended  bool
}

// chunk is what arrived from one end.
type chunk struct {
	bytes []byte
	due   time.Time
}

// connected keeps the connection to the server, and says whether the client's still holds.
func (c *linkConn) connected(server net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server = server
	if c.ended {
		discard(server)
		return false
	}
	if tcp, isTCP := server.(*net.TCPConn); isTCP {
		_ = tcp.SetReadBuffer(socketBuffer)
	}
	if tcp, isTCP := c.client.(*net.TCPConn); isTCP {
		_ = tcp.SetWriteBuffer(socketBuffer)
	}
	return true
}

// reset ends both connections at once. What is under way is lost.
func (c *linkConn) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended = true
	close(c.done)
	discard(c.client)
	if c.server != nil {
		discard(c.server)
	}
}

// discard closes a connection without sending what it still holds.
func discard(conn net.Conn) {
	if tcp, isTCP := conn.(*net.TCPConn); isTCP {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// forward passes on what comes from one end to the other, in order. If the one ends as it
// should, the other is told; if anything fails, both are reset.
func (c *linkConn) forward(from, to net.Conn, down bool) {
	chunks := make(chan chunk, linkBuffer)
	var read error
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(chunks)
		read = c.read(from, chunks)
	})
	for next := range chunks {
		if !c.write(to, next, down) {
			c.reset()
			break
		}
	}
	reading.Wait()
	tcp, isTCP := to.(*net.TCPConn)
	if !errors.Is(read, io.EOF) || !isTCP || tcp.CloseWrite() != nil {
		c.reset()
	}
}

// read takes what comes from one end, until it ends, which is io.EOF, or the connection is reset.
func (c *linkConn) read(from net.Conn, into chan<- chunk) error {
	for {
		buffer := make([]byte, chunkSize)
		n, err := from.Read(buffer)
		if n > 0 {
			select {
			case into <- chunk{bytes: buffer[:n], due: time.Now().Add(c.link.now().delay)}:
			case <-c.done:
				return net.ErrClosed
			}
		}
		if err != nil {
			return err
		}
	}
}

// write passes on a chunk as the state of the link allows, and says whether that worked.
func (c *linkConn) write(to net.Conn, next chunk, down bool) bool {
	if !c.sleep(time.Until(next.due)) {
		return false
	}
	for len(next.bytes) > 0 {
		state := c.link.now()
		if state.hanging {
			select {
			case <-state.changed:
				continue
			case <-c.done:
				return false
			}
		}
		part := len(next.bytes)
		if down && state.rate > 0 {
			part = min(part, max(1, int(float64(state.rate)*throttleStep.Seconds())))
			if !c.sleep(time.Duration(float64(part) / float64(state.rate) * float64(time.Second))) {
				return false
			}
		}
		if _, err := to.Write(next.bytes[:part]); err != nil {
			return false
		}
		next.bytes = next.bytes[part:]
	}
	return true
}

// sleep waits, and says whether the connection still holds.
func (c *linkConn) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.done:
		return false
	}
}
