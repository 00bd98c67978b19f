// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/sampling"
)

const (
	maxConfigBytes   = 1 << 20 // of a configuration that is sent to us
	maxLoggedChanges = 50      // in a line of the log
	maxLoggedBytes   = 500     // of a value in it
)

// serveConfig answers as [sampling.Control] does. It takes changes only if the program
// allows them, only of a configuration that its sender has seen, and logs them.
func (c *Console) serveConfig(w http.ResponseWriter, r *http.Request) {
	control := c.config.Control
	if control == nil {
		fail(w, http.StatusNotFound, "this program shows no configuration here: its console was made without Config.Control")
		return
	}
	if r.Method != http.MethodPut {
		relay(w, r, control)
		return
	}
	if !c.config.AllowChanges {
		fail(w, http.StatusForbidden, "this program does not let its configuration be changed here: its console was made without Config.AllowChanges")
		return
	}
	if err := new(http.CrossOriginProtection).Check(r); err != nil {
		fail(w, http.StatusForbidden, err.Error())
		return
	}
	if tag := strings.TrimSpace(r.Header.Get("If-Match")); tag == "" || tag == "*" {
		fail(w, http.StatusPreconditionRequired, "a change needs the ETag of the configuration that it changes, in If-Match")
		return
	}
	// It is read before the lock is taken, so that who sends it slowly holds up nobody.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxConfigBytes))
	if err != nil {
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		fail(w, status, err.Error())
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if before, after, ok := c.change(w, r); ok {
		c.logChange(r, before, after)
	}
}

// change has the control change its configuration, and reports whether it has. One is changed
// at a time, so that before is what was changed.
func (c *Console) change(w http.ResponseWriter, r *http.Request) (before, after sampling.Config, ok bool) {
	from := newInner()
	before, after = func() (sampling.Config, sampling.Config) {
		c.changing.Lock()
		defer c.changing.Unlock()
		before := c.config.Control.Config()
		c.config.Control.ServeHTTP(from, r)
		return before, c.config.Control.Config()
	}()
	return before, after, from.relay(w)
}

// logChange says who changed what. What the client says of itself is as it says.
func (c *Console) logChange(r *http.Request, before, after sampling.Config) {
	changes := differences(before, after)
	shown := changes[:min(len(changes), maxLoggedChanges)]
	c.logger().InfoContext(r.Context(), "waybill console: the configuration of sampling was changed",
		"remote", r.RemoteAddr,
		"forwarded_for", cut(r.Header.Get("X-Forwarded-For"), maxLoggedBytes),
		"user_agent", cut(r.UserAgent(), maxLoggedBytes),
		"changes", shown,
		"more_changes", len(changes)-len(shown))
}

// differences returns what differs between two configurations, one text for each value:
// "kinds.session.spans_per_second: 100 -> 200".
func differences(before, after sampling.Config) []string {
	was, is := values(before), values(after)
	paths := slices.Sorted(maps.Keys(was))
	for path := range is {
		if _, ok := was[path]; !ok {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	var found []string
	for _, path := range paths {
		if was[path] != is[path] {
			found = append(found, fmt.Sprintf("%s: %s -> %s", cut(path, maxLoggedBytes), logged(was[path]), logged(is[path])))
		}
	}
	return found
}

// logged returns a value as it is logged. An empty one was not in the JSON.
func logged(value string) string {
	if value == "" {
		return "not set"
	}
	return cut(value, maxLoggedBytes)
}

// values returns the values of a configuration as JSON, by their paths.
func values(config sampling.Config) map[string]string {
	found := map[string]string{}
	encoded, err := json.Marshal(config)
	if err != nil {
		return found // It cannot be: the configuration was shown as JSON.
	}
	var tree map[string]any
	if err := json.Unmarshal(encoded, &tree); err != nil {
		return found
	}
	flatten(found, nil, tree)
	return found
}

func flatten(into map[string]string, path []string, value any) {
	if object, ok := value.(map[string]any); ok {
		for name, inner := range object {
			flatten(into, append(path, name), inner)
		}
		return
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return // It cannot be: it was JSON before.
	}
	into[strings.Join(path, ".")] = string(encoded)
}
