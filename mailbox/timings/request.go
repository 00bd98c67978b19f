// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package timings

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-go/waybill/mailbox/internal/minutes"
)

// orderNames are the names of orders in a request.
var orderNames = [...]string{ByShare: "share", ByLongest: "longest", ByWait: "wait", ByName: "name"}

// request is what somebody asked for over HTTP.
type request struct {
	query   Query
	kinds   bool
	process bool // with that kind and ID
	id      string
	text    bool
}

func readRequest(r *http.Request) (request, error) {
	asked := request{text: wantsText(r.Header)}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return asked, fmt.Errorf("the query is malformed: %w", err)
	}
	for name, given := range values {
		if len(given) > 1 {
			return asked, fmt.Errorf("%q is there %d times", name, len(given))
		}
		if err := asked.read(name, given[0]); err != nil {
			return asked, err
		}
	}
	if asked.process {
		for name := range values {
			if !slices.Contains([]string{"id", "kind", "format"}, name) {
				return asked, fmt.Errorf("id shows a process, and %s is of no use then", name)
			}
		}
		if asked.query.Kind == "" {
			return asked, fmt.Errorf("id needs a kind: kind=guild&id=%s", url.QueryEscape(asked.id))
		}
	}
	return asked, nil
}

func (r *request) read(name, value string) (err error) {
	switch name {
	case "kind":
		r.query.Kind = value
	case "id":
		r.process, r.id = true, value
	case "last":
		r.query.Last, err = time.Parse(time.RFC3339, value)
	case "minutes":
		r.query.Minutes, err = number(value, minutes.Keep)
	case "limit":
		r.query.Limit, err = number(value, maxLimit)
	case "by":
		by := slices.Index(orderNames[:], value)
		r.query.By, err = Order(by), oneOf(value, orderNames[:])
	case "show":
		r.kinds, err = value == "kinds", oneOf(value, []string{"top", "kinds"})
	case "format":
		r.text, err = value == "text", oneOf(value, []string{"json", "text"})
	default:
		return fmt.Errorf("%q is no parameter: there are kind, id, last, minutes, by, limit, show and format", name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func number(value string, most int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("%q is not a number from 1 to %d", value, most)
	}
	return n, nil
}

func oneOf(value string, names []string) error {
	if slices.Contains(names, value) {
		return nil
	}
	return fmt.Errorf("%q is not one of %s", value, strings.Join(names, ", "))
}

// wantsText reports whether the Accept header has text/plain and not application/json.
func wantsText(h http.Header) bool {
	text := false
	for _, line := range h.Values("Accept") {
		for item := range strings.SplitSeq(line, ",") {
			switch accepted, _, _ := mime.ParseMediaType(item); accepted {
			case "text/plain":
				text = true
			case "application/json":
				return false
			}
		}
	}
	return text
}
