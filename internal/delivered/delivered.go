// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package delivered is what package mailbox knows of messages that something else
// delivers, which waits to be told what became of them.
package delivered

import "reflect"

// Message is a message that stands for another one, and is told if it is not handled.
// Package mailbox calls its methods where the static type of a process's messages has them.
// They must not block. If the handler returns nil, none of Failed and Dead is called.
type Message interface {
	// MessageType returns the type of the message that this one stands for, as spans and
	// metrics are to name it. It may be called at any time.
	MessageType() reflect.Type
	// Failed is called once after the handling, if that failed: err is the error of the
	// handler or of the instance's factory, a *mailbox.PanicError or mailbox.ErrGoexit.
	Failed(err error)
	// Dead is called once if the message was accepted and will never be handled: err is
	// mailbox.ErrStopped or mailbox.ErrDropped. It is not called for a message that was
	// refused, which is the sender's to deal with.
	Dead(err error)
}

// Is reports whether messages of type M are told what becomes of them. An interface type
// with these methods does not count: it could be nil.
func Is[M any]() bool {
	t := reflect.TypeFor[M]()
	return t.Kind() != reflect.Interface && t.Implements(reflect.TypeFor[Message]())
}
