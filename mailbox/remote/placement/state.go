// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/waybill-go/waybill/internal/header"
	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/internal/subject"
	"github.com/waybill-go/waybill/mailbox/remote/placement/internal/ownership"
)

// StateConfig configures [NewState]. A field that is zero means the default.
type StateConfig struct {
	// Bucket is the name of the bucket, waybill_state by default. It has letters, digits, '-'
	// and '_'. It is made if there is none.
	Bucket string
	// MaxBytes is the size of the largest state, in bytes, 256 KiB by default.
	MaxBytes int
	// Replicas is in how many copies a cluster keeps the bucket. Zero leaves what is there, and
	// makes one copy if nothing is there.
	Replicas int
}

// State keeps the states of placed processes in a bucket of NATS's key-value store. A write by an
// owner that is no longer one is refused, however late it comes: each record has the fencing
// token of who wrote it, and changes by compare and set. All methods may be called at any time
// by any goroutine.
type State struct {
	bucket bucket
	max    int
}

const (
	defaultMaxState = 256 << 10
	// stateMagic is what a record begins with. The token follows, and then the state.
	stateMagic  = "wbs1"
	stateHeader = len(stateMagic) + 8
	// stateAttempts is how often a write is tried again after a conflict.
	stateAttempts = 8
)

// NewState opens the bucket, and makes it if there is none. The error wraps
// [mailbox.ErrConfig], or an error of the store or of ctx.
func NewState(ctx context.Context, js jetstream.JetStream, config StateConfig) (*State, error) {
	if js == nil || config.MaxBytes < 0 || config.Replicas < 0 {
		return nil, fmt.Errorf("%w: a state store without JetStream, or with a negative number", mailbox.ErrConfig)
	}
	s := &State{max: cmp.Or(config.MaxBytes, defaultMaxState)}
	kv, err := openBucket(header.OrBackground(ctx), js, jetstream.KeyValueConfig{
		Bucket: cmp.Or(config.Bucket, "waybill_state"), Replicas: config.Replicas,
		Description: "Waybill: states of processes that are placed on one of several nodes.",
	})
	if err != nil {
		return nil, fmt.Errorf("placement: state: %w", err)
	}
	s.bucket.kv = kv
	return s, nil
}

// Load returns the last state of the process whose context ctx is: that of its handler, Factory
// or Save, or one derived from it. It is nil if there is none. From then on nothing is
// written any more that an earlier owner sends: Load writes the token of this one.
//
// The error wraps [ErrFenced] if a later owner was faster, and then the process is killed;
// [ErrNotPlaced] or [ErrForeign]; or it is one of the store or of ctx.
func (s *State) Load(ctx context.Context) ([]byte, error) {
	var state []byte
	err := s.change(ctx, func(found []byte) []byte {
		state = found
		return found
	})
	return state, err
}

// Save writes the state of the process whose context ctx is, as for [State.Load], which has the
// same errors. In addition, the error wraps [ErrOversized] if the state is too large. After
// another error than these and [ErrFenced], the state may have been written. State is not kept.
func (s *State) Save(ctx context.Context, state []byte) error {
	if len(state) > s.max {
		return fmt.Errorf("%w: %d bytes, and %d are allowed", ErrOversized, len(state), s.max)
	}
	return s.change(ctx, func([]byte) []byte { return state })
}

// change reads the record of a process, and writes what to makes of it. It writes even if that
// is the same: what was read may be old, and the token must be this owner's.
func (s *State) change(ctx context.Context, to func(found []byte) (state []byte)) error {
	of := identityOf(ctx)
	if of == nil {
		return ErrNotPlaced
	}
	token, err := subject.Token(of.id)
	if err != nil {
		return err // It was placed, so it has one.
	}
	key := of.kind + "." + token
	for range stateAttempts {
		if !of.held() {
			return ErrMoved
		}
		var owner uint64
		var found []byte
		e, err := s.bucket.Get(ctx, key)
		switch {
		case errors.Is(err, ownership.ErrNotFound):
		case err != nil:
			return fmt.Errorf("placement: state of %q: %w", of.id, err)
		default:
			if owner, found, err = readState(e.Value); err != nil {
				return fmt.Errorf("state of %q: %w", of.id, err)
			}
		}
		if owner > of.token {
			of.kill()
			return fmt.Errorf("%w: its token is %d, and ours %d", ErrFenced, owner, of.token)
		}
		if err = s.write(ctx, key, writeState(of.token, to(found)), e.Revision); !errors.Is(err, ownership.ErrConflict) {
			if err != nil {
				return fmt.Errorf("placement: state of %q: %w", of.id, err)
			}
			return nil
		}
	}
	return fmt.Errorf("placement: state of %q: %w", of.id, ownership.ErrConflict)
}

func (s *State) write(ctx context.Context, key string, value []byte, revision uint64) (err error) {
	if revision == 0 {
		_, err = s.bucket.Create(ctx, key, value)
	} else {
		_, err = s.bucket.Update(ctx, key, value, revision)
	}
	return err
}

func writeState(token uint64, state []byte) []byte {
	b := make([]byte, 0, stateHeader+len(state))
	b = append(b, stateMagic...)
	b = binary.BigEndian.AppendUint64(b, token)
	return append(b, state...)
}

func readState(value []byte) (token uint64, state []byte, err error) {
	if len(value) < stateHeader || string(value[:len(stateMagic)]) != stateMagic {
		return 0, nil, fmt.Errorf("%w: %d bytes", ErrForeign, len(value))
	}
	token = binary.BigEndian.Uint64(value[len(stateMagic):])
	if len(value) == stateHeader {
		return token, nil, nil
	}
	return token, value[stateHeader:], nil
}
