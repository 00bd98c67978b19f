// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"context"
	"fmt"
	"reflect"

	"github.com/waybill-go/waybill/envelope/wire"
	"github.com/waybill-go/waybill/mailbox"
)

// CallType is a type of messages that are answered. Make one with [Answered].
type CallType[M any] struct{ of callType[M] }

// callType is what the rest of the package needs of a CallType.
type callType[M any] interface {
	// check returns the type of the messages.
	check() (reflect.Type, error)
	// awaited returns the Reply in message, or nil if nobody waits for it.
	awaited(message M) (reply, error)
	// serve calls to with message, and returns the answer as it is written.
	serve(ctx context.Context, to mailbox.Ref[M], message M) (answer []byte, err error)
}

// reply is a Reply to which the answer comes as it was written.
type reply interface {
	// answer reads the answer, calls before, and gives it to the caller. An error means
	// that it could not be read.
	answer(data []byte, before func()) error
	fail(err error)
}

// Answered says that messages of type Q are calls. reply returns a pointer to the
// [mailbox.Reply] in one. Q is the dynamic type of such a message if M is an interface, and M
// itself if not. Answers are written by codec; nil means [wire.JSONCodec].
//
//	remote.Answered[GuildMsg](func(q *GetStats) *mailbox.Reply[Stats] { return &q.reply }, nil)
//
// The codec of the messages need not write the Reply. A message with the zero Reply is no call
// and goes like any other.
func Answered[M, Q, R any](reply func(*Q) *mailbox.Reply[R], codec wire.Codec[R]) CallType[M] {
	if codec == nil {
		codec = wire.JSONCodec[R]()
	}
	return CallType[M]{answered[M, Q, R]{reply, codec}}
}

// answered implements callType.
type answered[M, Q, R any] struct {
	reply func(*Q) *mailbox.Reply[R]
	codec wire.Codec[R]
}

func (a answered[M, Q, R]) check() (reflect.Type, error) {
	t := reflect.TypeFor[Q]()
	if a.reply == nil {
		return nil, fmt.Errorf("Answered without a function, for %v", t)
	}
	if m := reflect.TypeFor[M](); t.Kind() == reflect.Interface || !t.AssignableTo(m) {
		return nil, fmt.Errorf("no message of type %v is a %v", m, t)
	}
	return t, nil
}

// in returns where the Reply is in q.
func (a answered[M, Q, R]) in(q *Q) (r *mailbox.Reply[R], err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			r, err = nil, fmt.Errorf("%w: the function of Answered: panic: %v", ErrCodec, recovered)
		}
	}()
	if r = a.reply(q); r == nil {
		return nil, fmt.Errorf("%w: the function of Answered returned nil", ErrCodec)
	}
	return r, nil
}

func (a answered[M, Q, R]) awaited(message M) (reply, error) {
	q := any(message).(Q) //nolint:forcetypeassert // The type is as check has said.
	r, err := a.in(&q)
	if err != nil || *r == (mailbox.Reply[R]{}) {
		return nil, err
	}
	return awaitedReply[R]{*r, a.codec}, nil
}

func (a answered[M, Q, R]) serve(ctx context.Context, to mailbox.Ref[M], message M) ([]byte, error) {
	q := any(message).(Q) //nolint:forcetypeassert // The type is as check has said.
	at, err := a.in(&q)
	if err != nil {
		return nil, err
	}
	result, err := mailbox.Call(ctx, to, func(r mailbox.Reply[R]) M {
		*at = r
		return any(q).(M) //nolint:forcetypeassert // As above.
	})
	if err != nil {
		return nil, err
	}
	return encode(a.codec, nil, result)
}

// awaitedReply implements reply.
type awaitedReply[R any] struct {
	reply mailbox.Reply[R]
	codec wire.Codec[R]
}

func (a awaitedReply[R]) answer(data []byte, before func()) error {
	result, err := decode(a.codec, data)
	if err != nil {
		return err
	}
	before()
	a.reply.Answer(result)
	return nil
}

func (a awaitedReply[R]) fail(err error) { a.reply.Fail(err) }
