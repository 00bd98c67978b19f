// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package sampling

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxConfiguration bounds a configuration in JSON.
const maxConfiguration = 1 << 20 // bytes

// ServeHTTP shows the configuration as JSON (GET), and changes the whole of it
// (PUT): what the JSON leaves out is as it is by default. A bad configuration is
// refused with status 400 and the reason, and changes nothing; an answer of
// status 200 shows what holds now. It does not ask who asks: serve it where only
// operators can reach it.
//
//	{
//	  "default": {"carry": true, "spans": true},
//	  "kinds": {
//	    "session": {
//	      "carry": true, "spans": true, "spans_per_second": 100, "max_spans_per_second": 500,
//	      "late": {"failures": true, "slow": "100ms", "per_second": 5}
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
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPut:
		next, err := readConfiguration(http.MaxBytesReader(w, r.Body, maxConfiguration))
		if err == nil {
			err = c.Set(next)
		}
		if err != nil {
			status := http.StatusBadRequest
			if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				status = http.StatusRequestEntityTooLarge
			}
			http.Error(w, err.Error(), status)
			return
		}
	default:
		w.Header().Set("Allow", "GET, HEAD, PUT")
		http.Error(w, "GET shows the configuration, PUT changes it", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(configurationJSON(c.Configuration())) // The client may have gone.
}

// readConfiguration reads one configuration and nothing after it.
func readConfiguration(r io.Reader) (Configuration, error) {
	read := configurationJSON(DefaultConfiguration())
	decoder := json.NewDecoder(r)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err != nil {
		return Configuration{}, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Configuration{}, fmt.Errorf("%w: something follows the configuration", ErrSettings)
	}
	return Configuration(read), nil
}

// configurationJSON is a Configuration with the names that it has in JSON.
type configurationJSON struct {
	Default      Settings            `json:"default"`
	Kinds        map[string]Settings `json:"kinds,omitempty"`
	DefaultGroup Config              `json:"default_group"`
	Groups       map[string]Config   `json:"groups,omitempty"`
}

// UnmarshalJSON implements json.Unmarshaler: what is left out is as in
// [DefaultSettings].
func (s *Settings) UnmarshalJSON(data []byte) error {
	type plain Settings // Without this method.
	read := plain(DefaultSettings())
	if err := unmarshalStrictly(data, &read); err != nil {
		return err
	}
	*s = Settings(read)
	return nil
}

// lateJSON is a Late in JSON.
type lateJSON struct {
	Failures  bool         `json:"failures,omitempty"`
	Slow      jsonDuration `json:"slow,omitempty"`
	Waited    jsonDuration `json:"waited,omitempty"`
	Roots     bool         `json:"roots,omitempty"`
	Stratum   bool         `json:"stratum,omitempty"`
	PerSecond float64      `json:"per_second,omitempty"`
}

// MarshalJSON implements json.Marshaler; durations are as time.Duration prints
// them.
func (l Late) MarshalJSON() ([]byte, error) {
	return json.Marshal(lateJSON{
		l.Failures, jsonDuration(l.Slow), jsonDuration(l.Waited), l.Roots, l.Stratum, l.PerSecond,
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
		read.Failures, time.Duration(read.Slow), time.Duration(read.Waited), read.Roots, read.Stratum, read.PerSecond,
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
