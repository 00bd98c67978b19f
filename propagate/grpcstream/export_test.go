// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package grpcstream

// For tests.
var (
	Extract  = extract
	FieldTag = fieldTag
)
