// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement_test

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// disturbed is JetStream with a bucket of owners that a test can hold up.
type disturbed struct {
	jetstream.JetStream

	// get and create, if they are not nil, are called with the key before one is read, and
	// after one was made, which the caller does not know yet. Their errors are all that the
	// caller gets.
	get, create func(ctx context.Context, key string) error
}

func (d *disturbed) KeyValue(ctx context.Context, name string) (jetstream.KeyValue, error) {
	kv, err := d.JetStream.KeyValue(ctx, name)
	return d.disturb(name, kv), err
}

func (d *disturbed) CreateOrUpdateKeyValue(ctx context.Context, config jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	kv, err := d.JetStream.CreateOrUpdateKeyValue(ctx, config)
	return d.disturb(config.Bucket, kv), err
}

func (d *disturbed) disturb(name string, kv jetstream.KeyValue) jetstream.KeyValue {
	if kv == nil || !strings.HasSuffix(name, "_owners") {
		return kv
	}
	return &disturbedBucket{kv, d}
}

type disturbedBucket struct {
	jetstream.KeyValue

	by *disturbed
}

func (b *disturbedBucket) Get(ctx context.Context, key string) (jetstream.KeyValueEntry, error) {
	if b.by.get != nil {
		if err := b.by.get(ctx, key); err != nil {
			return nil, err
		}
	}
	return b.KeyValue.Get(ctx, key)
}

func (b *disturbedBucket) Create(
	ctx context.Context, key string, value []byte, opts ...jetstream.KVCreateOpt,
) (uint64, error) {
	revision, err := b.KeyValue.Create(ctx, key, value, opts...)
	if err == nil && b.by.create != nil {
		err = b.by.create(ctx, key)
	}
	return revision, err
}
