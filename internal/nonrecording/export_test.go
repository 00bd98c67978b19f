// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package nonrecording

// Learn is learn.
var Learn = learn
