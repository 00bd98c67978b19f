// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package headers

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-go/waybill/internal/header"
)

// chain sets when a sampled message arrived, how long it took, and its place in the chain
// of messages. Hops and age above their bounds are cut to them: if they were taken for
// absent, a chain that never ends would begin anew.
func (r *reading) chain(now time.Time, believed bool) {
	if now.IsZero() {
		now = time.Now()
	}
	r.to.SentAt, r.to.Hops = now, 1
	if !believed {
		return
	}
	sent, ok := sentField.one(r.in)
	if sent != "" {
		var ns int64
		if ns, ok = whole(sent); ok && ns > 0 {
			// Clocks differ: a message from the future was written now.
			r.to.Network = min(max(time.Duration(now.UnixNano()-ns), 0), header.MaxAge)
			r.to.Remote = true
		}
		ok = ok && ns > 0
	}
	r.malformed = r.malformed || !ok
	text, ok := chainField.one(r.in)
	c := chain{hops: 1}
	if text != "" {
		var well bool
		if c, well = parseChain(text); !well {
			c, ok = chain{hops: 1}, false
		}
	}
	r.malformed = r.malformed || !ok || c.hops > header.MaxHops || c.age > int64(header.MaxAge)
	r.to.Hops = int(min(c.hops, header.MaxHops))
	r.to.Age = min(min(time.Duration(c.age), header.MaxAge)+r.to.Network, header.MaxAge)
	r.to.SampledByFanout, r.to.Linked = c.fanout >= fanoutSampled, c.fanout == fanoutLinked
}

// chain is the value of waybill-chain.
type chain struct {
	hops, age, fanout int64
}

// What a fan-out has done.
const (
	fanoutSampled = 1
	fanoutLinked  = 2
)

// parseChain reads the value of waybill-chain. ok is false if a field is malformed or is
// there twice, or if one of the first two is missing. A field with an unknown name is
// skipped, because a later version may have added it.
func parseChain(text string) (c chain, ok bool) {
	if len(text) > maxChain {
		return c, false
	}
	c.hops, c.age = -1, -1
	for pair := range strings.SplitSeq(text, ";") {
		name, digits, _ := strings.Cut(pair, ":")
		value, valid := whole(digits)
		switch name {
		case "h":
			valid, c.hops = valid && c.hops < 0 && value > 0, value
		case "a":
			valid, c.age = valid && c.age < 0, value
		case "f":
			valid, c.fanout = valid && c.fanout == 0 && value >= fanoutSampled && value <= fanoutLinked, value
		default:
			valid = name != ""
		}
		if !valid {
			return c, false
		}
	}
	return c, c.hops > 0 && c.age >= 0
}

// whole reads a whole number that is not negative, in the only form in which it is written.
func whole(digits string) (n int64, ok bool) {
	if digits == "" || digits[0] == '0' && len(digits) > 1 {
		return 0, false
	}
	u, err := strconv.ParseUint(digits, 10, 64)
	return int64(min(u, math.MaxInt64)), err == nil && u <= math.MaxInt64
}
