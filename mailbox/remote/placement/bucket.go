// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/waybill-go/waybill/mailbox"
	"github.com/waybill-go/waybill/mailbox/remote/placement/internal/ownership"
)

const (
	// markerTTL is how long a bucket keeps that a record was deleted. Nothing needs to know
	// for longer than a few leases.
	markerTTL = time.Hour
	// maxRecord is the largest record of ours, in bytes.
	maxRecord = 4 << 10
	// watchTimeout is how long the server may take to begin a watch.
	watchTimeout = 10 * time.Second
)

// bucketName returns a name that a bucket may have, made of the node's prefix.
func bucketName(prefix, what string) (string, error) {
	name := strings.ReplaceAll(prefix, ".", "-") + "_" + what
	for i := range len(name) {
		if c := name[i]; ('a' > c || c > 'z') && ('A' > c || c > 'Z') && ('0' > c || c > '9') && c != '-' && c != '_' {
			return "", fmt.Errorf("%w: the prefix %q has a %q, which the name of a bucket cannot have", mailbox.ErrConfig, prefix, c)
		}
	}
	return name, nil
}

// openBucket returns the bucket of that name, and makes it if there is none. replicas that are
// not zero change the bucket.
func openBucket(ctx context.Context, js jetstream.JetStream, config jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	config.History = 1
	config.LimitMarkerTTL = markerTTL
	if config.Replicas == 0 {
		kv, err := js.KeyValue(ctx, config.Bucket)
		if err == nil || !errors.Is(err, jetstream.ErrBucketNotFound) {
			return kv, err
		}
	}
	kv, err := js.CreateOrUpdateKeyValue(ctx, config)
	if err != nil { // Another node may have made it at the same time.
		if other, err := js.KeyValue(ctx, config.Bucket); err == nil && config.Replicas == 0 {
			return other, nil
		}
	}
	return kv, err
}

// bucket is a bucket of NATS's as package ownership needs it.
type bucket struct{ kv jetstream.KeyValue }

// translated returns err as package ownership knows it.
func translated(err error) error {
	api, isAPI := errors.AsType[*jetstream.APIError](err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrKeyNotFound), errors.Is(err, jetstream.ErrKeyDeleted):
		return fmt.Errorf("%w: %w", ownership.ErrNotFound, err)
	case errors.Is(err, jetstream.ErrKeyExists), errors.Is(err, jetstream.ErrKeyRevisionMismatch),
		isAPI && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
			api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant):
		return fmt.Errorf("%w: %w", ownership.ErrConflict, err)
	default:
		return err
	}
}

func (b bucket) Get(ctx context.Context, key string) (ownership.Entry, error) {
	e, err := b.kv.Get(ctx, key)
	if err != nil {
		return ownership.Entry{}, translated(err)
	}
	return ownership.Entry{Key: key, Value: e.Value(), Revision: e.Revision()}, nil
}

func (b bucket) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	revision, err := b.kv.Create(ctx, key, value)
	return revision, translated(err)
}

func (b bucket) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	revision, err := b.kv.Update(ctx, key, value, revision)
	return revision, translated(err)
}

func (b bucket) Delete(ctx context.Context, key string, revision uint64) error {
	return translated(b.kv.Purge(ctx, key, jetstream.LastRevision(revision), jetstream.PurgeTTL(markerTTL)))
}

var errWatchEnded = errors.New("placement: a watch has ended")

func (b bucket) Watch(ctx context.Context, keys string, yield func(ownership.Entry) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	late := time.AfterFunc(watchTimeout, cancel) // The context lasts as long as the watch, so it has no deadline.
	w, err := b.kv.Watch(ctx, keys)
	if err != nil {
		late.Stop()
		return err
	}
	defer func() {
		_ = w.Stop() // The connection is closed then.
		go func() {
			for range w.Updates() {
				// Who writes may wait for room, and holds a lock then.
			}
		}()
	}()
	if !late.Stop() {
		return context.DeadlineExceeded
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return errWatchEnded
			case e == nil:
				if !yield(ownership.Entry{}) {
					return nil
				}
			case !yield(ownership.Entry{
				Key: e.Key(), Value: e.Value(), Revision: e.Revision(), Deleted: e.Operation() != jetstream.KeyValuePut,
			}):
				return nil
			}
		}
	}
}

var _ ownership.Bucket = bucket{}
