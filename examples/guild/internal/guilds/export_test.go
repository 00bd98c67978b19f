// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package guilds

// MaxConnections is how many connections are served at a time.
const MaxConnections = maxConnections
