// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/waybill-go/waybill/internal/rebinding"
)

// maxConfig bounds a configuration in JSON.
const maxConfig = 1 << 20 // bytes

// ServeHTTP shows the configuration as JSON (GET), and changes the whole of it
// (PUT). What the JSON leaves out, and what is zero or false in it, is as it is by
// default, and -1 means no limit ([Unlimited]), as in a [Config]. A bad configuration is
// refused with status 400 and the reason, one of more than a mebibyte with 413; both
// change nothing. An answer of status 200 shows what holds now, and below "unknown"
// the names in it of kinds and groups that the program has not: it may have them
// later, or they are misspelt. In a PUT that part is not read, so that what was shown
// can be changed and sent back.
//
// Each answer of 200 has an ETag. A PUT that sends it back as If-Match changes the
// configuration only if it is still that one, and is refused with 412 otherwise:
// so two operators do not undo each other's changes. A PUT without If-Match
// changes whatever is there.
//
// A PUT that a browser sends for a page of another origin is refused with 403, as
// [http.CrossOriginProtection] decides. A page can also have its own name resolve to
// this machine, and is then of the same origin (DNS rebinding). So over a loopback
// address and without TLS the Host must be localhost, a name below it, or an IP
// address; every request with another is refused with 403. A proxy on the same machine
// that hands on its clients' Host has to set it instead. Over other addresses any Host
// is taken, since nobody knows here which are right.
//
// Nothing else is asked of whoever calls, so serve it on a listener that only
// operators can reach. If browsers can reach that by another address than a loopback
// one, or people must say who they are, put a handler in front that refuses each Host
// but its own, and asks them.
//
//	{
//	  "default": {"no_spans": true},
//	  "kinds": {
//	    "session": {
//	      "spans_per_second": 100, "max_spans_per_second": 500,
//	      "late": {"failures": true, "slower_than": "100ms", "per_second": 5}
//	    }
//	  },
//	  "groups": {
//	    "sessions": {
//	      "curve": [{"size": 1, "probability": 1}, {"size": 10000, "probability": 0.001}],
//	      "max_spans": 50, "spans_per_second": 200, "max_spans_per_second": 1000
//	    }
//	  }
//	}
func (c *Control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rebinding.Likely(r) {
		http.Error(w, fmt.Sprintf("host %q: over a loopback address this is localhost", r.Host), http.StatusForbidden)
		return
	}
	shown := c.Config()
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPut:
		next, status, err := c.put(w, r)
		if err != nil {
			http.Error(w, err.Error(), status)
			return
		}
		shown = next
	default:
		w.Header().Set("Allow", "GET, HEAD, PUT")
		http.Error(w, "GET shows the configuration, PUT changes it", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("ETag", etag(shown))
	_, _ = w.Write(readable(shownJSON{shown, c.unknown(shown)})) // The client may have gone.
}

// put changes the configuration to that of the request, and returns it. The
// status goes with the error.
func (c *Control) put(w http.ResponseWriter, r *http.Request) (next Config, status int, err error) {
	if err := new(http.CrossOriginProtection).Check(r); err != nil {
		return next, http.StatusForbidden, err
	}
	next, err = readConfig(http.MaxBytesReader(w, r.Body, maxConfig))
	changed := false
	if err == nil {
		changed, err = c.setIf(func(now Config) bool { return matches(r.Header.Values("If-Match"), now) }, next)
	}
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return next, http.StatusRequestEntityTooLarge, err
		}
		return next, http.StatusBadRequest, err
	}
	if !changed {
		return next, http.StatusPreconditionFailed, errors.New("the configuration has changed: get it again")
	}
	return next, http.StatusOK, nil
}

// matches reports whether one of the entity tags in headers, lists as in RFC 9110
// section 13.1.1, is that of c. Without any header it is.
func matches(headers []string, c Config) bool {
	if len(headers) == 0 {
		return true
	}
	tag := etag(c)
	for _, header := range headers {
		for given := range strings.SplitSeq(header, ",") {
			if given = strings.TrimSpace(given); given == "*" || given == tag {
				return true
			}
		}
	}
	return false
}

// etag returns the entity tag of a configuration. It has no comma.
func etag(c Config) string {
	sum := sha256.Sum256(readable(c))
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// readable returns a configuration as JSON that people read too.
func readable(v any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		panic(err) // It cannot be: validation leaves no number that JSON has no form for.
	}
	return b.Bytes()
}

// readConfig reads one configuration and nothing after it.
func readConfig(r io.Reader) (Config, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return Config{}, err
	}
	var read shownJSON
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("%w: something follows the configuration", ErrConfig)
	}
	if err := checkClear(json.NewDecoder(bytes.NewReader(data)), false); err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return read.Config, nil
}

// lateJSON is a Late in JSON.
type lateJSON struct {
	Failures         bool         `json:"failures,omitempty"`
	SlowerThan       jsonDuration `json:"slower_than,omitempty"`
	QueuedLongerThan jsonDuration `json:"queued_longer_than,omitempty"`
	Roots            bool         `json:"roots,omitempty"`
	CountSlow        bool         `json:"count_slow,omitempty"`
	PerSecond        float64      `json:"per_second,omitempty"`
}

// MarshalJSON implements json.Marshaler; durations are as time.Duration prints
// them.
func (l Late) MarshalJSON() ([]byte, error) {
	return json.Marshal(lateJSON{
		l.Failures, jsonDuration(l.SlowerThan), jsonDuration(l.QueuedLongerThan), l.Roots, l.CountSlow, l.PerSecond,
	})
}

// UnmarshalJSON implements json.Unmarshaler; durations are as
// time.ParseDuration reads them.
func (l *Late) UnmarshalJSON(data []byte) error {
	var read lateJSON
	if err := unmarshalStrictly(data, &read); err != nil {
		return err
	}
	*l = Late{
		read.Failures, time.Duration(read.SlowerThan), time.Duration(read.QueuedLongerThan), read.Roots, read.CountSlow, read.PerSecond,
	}
	return nil
}

// jsonDuration is a duration as text, like "1.5s".
type jsonDuration time.Duration

func (d jsonDuration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *jsonDuration) UnmarshalText(text []byte) error {
	read, err := time.ParseDuration(string(text))
	*d = jsonDuration(read)
	return err
}
