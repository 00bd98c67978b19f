// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain

import "unicode/utf8"

// Names of instances that are longer than longestInstance characters are cut to their last
// instanceEnd. Those of one service often begin alike, and differ at their ends.
const (
	longestInstance = 12
	instanceEnd     = 8
)

// instances are those of one service.
type instances struct {
	known map[string]bool
	tails map[string]int // how many are cut to the same
}

// origins returns what each source is called: by its service, and by its instance too where
// the spans are of several instances of the service.
func (t *forest) origins() map[*source]string {
	names := make(map[*source]string)
	services := make(map[string]*instances)
	for i := range t.spans {
		from := t.spans[i].from
		if _, known := names[from]; known {
			continue
		}
		names[from] = from.service
		of := services[from.service]
		if of == nil {
			of = &instances{make(map[string]bool), make(map[string]int)}
			services[from.service] = of
		}
		if !of.known[from.instance] {
			of.known[from.instance] = true
			of.tails[tail(from.instance)]++
		}
	}
	for from := range names {
		if of := services[from.service]; len(of.known) > 1 && from.instance != "" {
			names[from] += " " + of.short(from.instance)
		}
	}
	return names
}

// short cuts the name of an instance, unless others are cut to the same.
func (of *instances) short(name string) string {
	if short := tail(name); of.tails[short] == 1 {
		return short
	}
	return name
}

func tail(name string) string {
	if utf8.RuneCountInString(name) <= longestInstance {
		return name
	}
	characters := []rune(name)
	return "…" + string(characters[len(characters)-instanceEnd:])
}
