// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"errors"

	"github.com/waybill-go/waybill/mailbox/remote/internal/routing"
)

// Errors of this package. Test with [errors.Is].
var (
	// ErrMoved means that a message was not handled, because the node that it came to no
	// longer owns the process, or that what a process did came too late. It is
	// [mailbox.ErrStopped] too.
	ErrMoved = routing.ErrMoved
	// ErrNoNode means that no node offers to run processes of the kind.
	ErrNoNode = errors.New("placement: no node runs processes of the kind")
	// ErrFenced means that a write was refused, because a later owner of the process has
	// written or read.
	ErrFenced = errors.New("placement: a later owner has taken over")
	// ErrNotPlaced means that a context does not belong to the handler of a placed process.
	ErrNotPlaced = errors.New("placement: not the context of a placed process")
	// ErrOversized means that a state is larger than its store allows.
	ErrOversized = errors.New("placement: state too large")
	// ErrForeign means that a bucket holds a record that was not written by this package.
	ErrForeign = errors.New("placement: a record of somebody else")
)
