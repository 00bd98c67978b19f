// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package listen opens the addresses that the viewer serves.
package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/net/netutil"
)

// MaxConnections is how many connections there may be to one address at a time. Further ones
// wait.
const MaxConnections = 256

// Address is an address that is listened on. Make one with [Open].
type Address struct {
	listeners []net.Listener
}

// Open listens on an address of TCP, a host and a port. The host "localhost" means this
// machine, over both versions of IP: programs differ in which of them they try. A port of zero
// means a free one. The caller closes the address, or serves all of its listeners.
func Open(ctx context.Context, address string) (Address, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return Address{}, fmt.Errorf("%q is not an address: use HOST:PORT", address)
	}
	if host != "localhost" {
		listener, err := listen(ctx, address)
		if err != nil {
			return Address{}, err
		}
		return Address{listeners: []net.Listener{listener}}, nil
	}
	first, err := listen(ctx, net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return Address{}, err
	}
	opened := Address{listeners: []net.Listener{first}}
	_, port, _ = net.SplitHostPort(first.Addr().String())
	switch second, err := listen(ctx, net.JoinHostPort("::1", port)); {
	case err == nil:
		opened.listeners = append(opened.listeners, second)
	case errors.Is(err, syscall.EADDRINUSE):
		// What the exporters send may go to another program.
		return Address{}, errors.Join(err, opened.Close())
	}
	return opened, nil // A machine may have no IPv6.
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return netutil.LimitListener(listener, MaxConnections), nil
}

// Listeners returns the listeners of the address, one or two.
func (a Address) Listeners() []net.Listener { return a.listeners }

// String returns the host and the port of the address, and nothing if it is not open.
func (a Address) String() string {
	if len(a.listeners) == 0 {
		return ""
	}
	return a.listeners[0].Addr().String()
}

// Exposed reports whether other machines can reach the address.
func (a Address) Exposed() bool {
	for _, listener := range a.listeners {
		if tcp, ok := listener.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
			return true
		}
	}
	return false
}

// Close closes all listeners.
func (a Address) Close() error {
	var all error
	for _, listener := range a.listeners {
		all = errors.Join(all, listener.Close())
	}
	return all
}
