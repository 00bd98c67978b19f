// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"fmt"
	"runtime/debug"

	"github.com/waybill-go/waybill/envelope/wire"
)

// returns calls f, and reports whether it returned. If something that users have plugged in
// calls runtime.Goexit, that ends a goroutine of its own, and not the one that takes in messages
// or has to tell the server what became of one. A panic is for f to deal with.
func returns(f func()) bool {
	done := make(chan bool, 1)
	go func() {
		returned := false
		defer func() { done <- returned }()
		f()
		returned = true
	}()
	return <-done
}

var errCodecExited = fmt.Errorf("%w: it called runtime.Goexit", wire.ErrCodec)

// untilReturn calls f again whenever something that is plugged in has ended its goroutine.
func untilReturn(f func()) {
	for over := false; !over; {
		over = returns(f)
	}
}

// callCodec calls a codec. The error wraps wire.ErrCodec. A codec that panics has failed, and so
// has one whose error does that when it is asked for its text. One that ends its goroutine ends
// that of the caller.
func callCodec(call func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("%w: panic: %v\n%s", wire.ErrCodec, value, debug.Stack())
		}
	}()
	if err = call(); err != nil {
		err = fmt.Errorf("%w: %w", wire.ErrCodec, err)
	}
	return err
}
