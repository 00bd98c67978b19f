// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package caller

import "context"

type onlyIDsKey struct{}

// OnlyIDs returns ctx with the mark that, of what the caller said of its trace, only the
// identifiers and flags are believed. A reader of messages then believes no time of sending
// and no place in a chain either.
func OnlyIDs(ctx context.Context) context.Context {
	return context.WithValue(ctx, onlyIDsKey{}, true)
}

// IsOnlyIDs reports whether ctx has the mark.
func IsOnlyIDs(ctx context.Context) bool { return ctx.Value(onlyIDsKey{}) != nil }
