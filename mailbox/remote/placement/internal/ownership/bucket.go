// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"context"
	"errors"
)

// Errors of a [Bucket]. After any other error, what was to be written may have been written.
var (
	// ErrNotFound means that there is no record under the key.
	ErrNotFound = errors.New("placement: no record")
	// ErrConflict means that the record is not at the given revision, or exists already.
	// Nothing was written.
	ErrConflict = errors.New("placement: the record has changed")
)

// Entry is a record of a [Bucket].
type Entry struct {
	Key      string
	Value    []byte
	Revision uint64
	Deleted  bool // Then there is no Value.
}

// Reader reads a bucket.
type Reader interface {
	// Get returns the last record under key. It may be one of a moment ago.
	Get(ctx context.Context, key string) (Entry, error)
	// Watch calls yield for the last record under each key that matches, which may end in a
	// wildcard, deletions included, then once with the zero Entry, and then for each
	// change, in order. It returns when ctx has ended, when yield returns false, or with an
	// error when it cannot go on.
	Watch(ctx context.Context, keys string, yield func(Entry) bool) error
}

// Writer changes a bucket. All changes are ordered. Revisions grow over all keys of a bucket
// and are never used again.
type Writer interface {
	// Create writes a record under a key that has none, and returns its revision.
	Create(ctx context.Context, key string, value []byte) (uint64, error)
	// Update writes a record in place of the one of that revision.
	Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	// Delete deletes the record of that revision.
	Delete(ctx context.Context, key string, revision uint64) error
}

// Bucket is a store of records.
type Bucket interface {
	Reader
	Writer
}
