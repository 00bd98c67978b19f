// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"cmp"
	"slices"
)

// part is all steps of the path that have one cause.
type part struct {
	what    What
	total   int64
	spans   int  // how many it is about
	longest step // of its steps
}

// cause tells parts apart: a process that worked or for which messages waited, or spans of one
// name. All of the network is one part, and all gaps are one.
type cause struct {
	what          What
	kind, process string
	service, name string
	unhandled     bool
}

func (p *path) causeOf(s step) cause {
	f := &p.spans[s.span]
	switch {
	case s.what == Network || s.what == Gap:
		return cause{what: s.what}
	case f.kind != "" && !f.answered():
		return cause{what: s.what, kind: f.kind, process: f.process, unhandled: f.unhandled}
	default:
		return cause{what: s.what, service: f.from.service, name: f.span.Name()}
	}
}

// parts returns what the path consists of, the largest part first.
func (p *path) parts() []*part {
	var parts []*part
	byCause := make(map[cause]*part)
	type seen struct {
		what What
		span int
	}
	counted := make(map[seen]bool)
	for _, s := range p.steps {
		c := p.causeOf(s)
		at := byCause[c]
		if at == nil {
			at = &part{what: s.what, longest: s}
			byCause[c] = at
			parts = append(parts, at)
		}
		if key := (seen{s.what, s.span}); !counted[key] {
			counted[key] = true
			at.spans++
		}
		at.total += s.to - s.from
		if s.to-s.from > at.longest.to-at.longest.from {
			at.longest = s
		}
	}
	slices.SortStableFunc(parts, func(a, b *part) int { return cmp.Compare(b.total, a.total) })
	return parts
}
