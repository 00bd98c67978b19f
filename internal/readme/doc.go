// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package readme holds the tests that keep the README and the pages in docs true.
package readme
