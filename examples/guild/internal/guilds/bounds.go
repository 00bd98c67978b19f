// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package guilds

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// Bounds of what clients may take of the service. One instance of the chat API
// needs one connection.
const (
	maxConnections = 16
	maxCalls       = 256      // at a time on one connection
	maxMessage     = 64 << 10 // bytes of a request
	maxHeaders     = 16 << 10 // bytes of all headers of a call

	handshakeTime  = 5 * time.Second
	idleTime       = 5 * time.Minute  // after which a connection without calls ends
	pingTime       = time.Minute      // of silence, after which a client is asked whether it is there
	pingAnswerTime = 10 * time.Second // after which one that does not answer is gone
	minPingTime    = 30 * time.Second // between a client's own pings; who pings more is cut off
	graceTime      = 3 * time.Second  // for calls that have begun, when we end
)

// Bounds of how long a guild waits that has failed. The API waits longer for an answer.
const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = 5 * time.Second
)

// bounds makes the server keep to them. gRPC's own defaults are any number of calls,
// four megabytes for each, and connections that nobody ends. The callers' traces are
// continued, since they are our own: the boundary to strangers is the API's.
func bounds() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxConcurrentStreams(maxCalls),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.ConnectionTimeout(handshakeTime),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle: idleTime, Time: pingTime, Timeout: pingAnswerTime,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPingTime}),
	}
}
