// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// RestartPolicy says how a process is restarted after a failure ([Restart]). The zero
// value of a field means its default. A negative MaxFailures means no limit; other
// negative values are refused.
//
// The process keeps a count of its failures, as the supervisors of thejerf/suture do. Each
// failure adds 1, and the count decays: after the time Decay, 1/e of it is left. A process
// whose count exceeds MaxFailures ends. Otherwise it waits before its next message. The
// wait begins with MinBackoff, doubles with each failure in the count, and is at most
// MaxBackoff. It is then multiplied by a random factor between 0.5 and 1.5, so that
// processes that failed together do not come back together.
type RestartPolicy struct {
	MaxFailures float64       // 5
	Decay       time.Duration // 30 s
	MinBackoff  time.Duration // 100 ms
	MaxBackoff  time.Duration // 15 s
}

func (r RestartPolicy) withDefaults() (RestartPolicy, error) {
	if math.IsNaN(r.MaxFailures) || r.Decay < 0 || r.MinBackoff < 0 || r.MaxBackoff < 0 {
		return r, fmt.Errorf("%w: restarts with a negative value: %+v", ErrConfig, r)
	}
	if r.MaxFailures < 0 {
		r.MaxFailures = math.Inf(1)
	}
	r.MaxFailures = cmp.Or(r.MaxFailures, 5)
	r.Decay = cmp.Or(r.Decay, 30*time.Second)
	r.MaxBackoff = cmp.Or(r.MaxBackoff, max(15*time.Second, r.MinBackoff))
	r.MinBackoff = cmp.Or(r.MinBackoff, min(100*time.Millisecond, r.MaxBackoff))
	if r.MinBackoff > r.MaxBackoff {
		return r, fmt.Errorf("%w: restarts after at least %v and at most %v", ErrConfig, r.MinBackoff, r.MaxBackoff)
	}
	return r, nil
}

// failureHistory is what a process remembers of its failures.
type failureHistory struct {
	count float64 // as it was at last
	last  time.Time
	link  trace.SpanContext // of the handling that failed last, until a span links to it
}

// add counts one more failure, and returns how long to wait now, or that it was
// one too many.
func (m *failureHistory) add(now time.Time, r RestartPolicy) (backoff time.Duration, tooMany bool) {
	m.count = m.count*math.Exp(-now.Sub(m.last).Seconds()/r.Decay.Seconds()) + 1
	m.last = now
	if m.count > r.MaxFailures {
		return 0, true
	}
	longest := math.Min(float64(r.MinBackoff)*math.Exp2(m.count-1), float64(r.MaxBackoff))
	return time.Duration(longest * (0.5 + rand.Float64())), false
}
