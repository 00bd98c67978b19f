// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"cmp"
	"fmt"
	"time"

	"github.com/waybill-go/waybill/mailbox"
)

// Limits bound what other machines can make a node do and keep. A zero field means the
// default.
type Limits struct {
	// MaxMessage is the largest message or answer that is written or read, in bytes. The
	// default is 1 MiB, which is also what a NATS server takes by default.
	MaxMessage int
	// MaxHeader is the most that is read of the trace and the baggage of one message, in
	// bytes. The default is 16 KiB. What is longer is read as absent, and counted.
	MaxHeader int
	// MaxServed is how many calls from other machines the processes of the node may be
	// answering at the same time. Each has a goroutine. Further ones are refused with
	// [mailbox.ErrFull]. The default is 1,024.
	MaxServed int
	// MaxCalls is how many calls from here may be waiting for their answers. Further ones fail
	// with [mailbox.ErrFull]. The default is 65,536.
	MaxCalls int
	// MaxPending and MaxPendingBytes are how many messages, and how many bytes of them, may
	// wait in the client of NATS for each process that is served. What comes then is lost and
	// counted. The defaults are 65,536 messages and 32 MiB. MaxPendingBytes must not be less
	// than MaxMessage.
	MaxPending, MaxPendingBytes int
	// CallTimeout is how long a call from here waits if its context has no deadline, and how
	// long a request from elsewhere is answered that says nothing of a deadline. The default
	// is a minute.
	CallTimeout time.Duration
	// MaxCallTime is the longest that a call from elsewhere is answered, whatever its caller
	// says. The default is ten minutes.
	MaxCallTime time.Duration
}

// Defaults of Limits.
const (
	defaultMaxMessage      = 1 << 20
	defaultMaxHeader       = 16 << 10
	defaultMaxServed       = 1 << 10
	defaultMaxCalls        = 1 << 16
	defaultMaxPending      = 1 << 16
	defaultMaxPendingBytes = 32 << 20
	defaultCallTimeout     = time.Minute
	defaultMaxCallTime     = 10 * time.Minute
)

func (l Limits) withDefaults() (Limits, error) {
	for _, n := range []int{l.MaxMessage, l.MaxHeader, l.MaxServed, l.MaxCalls, l.MaxPending, l.MaxPendingBytes} {
		if n < 0 {
			return l, fmt.Errorf("%w: a limit of %d", mailbox.ErrConfig, n)
		}
	}
	if l.CallTimeout < 0 || l.MaxCallTime < 0 {
		return l, fmt.Errorf("%w: a negative time limit", mailbox.ErrConfig)
	}
	l.MaxMessage = cmp.Or(l.MaxMessage, defaultMaxMessage)
	l.MaxHeader = cmp.Or(l.MaxHeader, defaultMaxHeader)
	l.MaxServed = cmp.Or(l.MaxServed, defaultMaxServed)
	l.MaxCalls = cmp.Or(l.MaxCalls, defaultMaxCalls)
	l.MaxPending = cmp.Or(l.MaxPending, defaultMaxPending)
	l.MaxPendingBytes = cmp.Or(l.MaxPendingBytes, defaultMaxPendingBytes)
	l.CallTimeout = cmp.Or(l.CallTimeout, defaultCallTimeout)
	l.MaxCallTime = cmp.Or(l.MaxCallTime, defaultMaxCallTime)
	if l.MaxPendingBytes < l.MaxMessage {
		return l, fmt.Errorf("%w: a message of %d bytes, and %d may wait", mailbox.ErrConfig, l.MaxMessage, l.MaxPendingBytes)
	}
	return l, nil
}
