// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
)

// source is where spans come from: an instance of a service on a machine.
type source struct {
	service  string
	instance string                // which of the service's instances; empty if it does not say
	hosts    [len(hostKeys)]string // what it says of its machine; empty if it does not
}

const (
	serviceName     = attribute.Key("service.name")
	serviceInstance = attribute.Key("service.instance.id")
)

// hostKeys are attributes of a resource that are the same on one machine only.
var hostKeys = [...]attribute.Key{"host.id", "host.name", "k8s.node.name"}

// sources has one source for all resources that are equal.
type sources struct {
	byResource map[*resource.Resource]*source
	bySet      map[attribute.Distinct]*source
}

func newSources() sources {
	return sources{make(map[*resource.Resource]*source), make(map[attribute.Distinct]*source)}
}

func (s sources) of(r *resource.Resource) *source {
	if known := s.byResource[r]; known != nil {
		return known
	}
	from := s.bySet[r.Equivalent()]
	if from == nil {
		from = new(source)
		for _, kv := range r.Attributes() {
			switch kv.Key {
			case serviceName:
				from.service = text(kv.Value)
			case serviceInstance:
				from.instance = text(kv.Value)
			}
			for i, key := range hostKeys {
				if kv.Key == key {
					from.hosts[i] = text(kv.Value)
				}
			}
		}
		s.bySet[r.Equivalent()] = from
	}
	s.byResource[r] = from
	return from
}

// sameHost reports whether two sources are on the same machine, if that is known.
func (s *source) sameHost(o *source) (same, known bool) {
	for i, host := range s.hosts {
		if host != "" && o.hosts[i] != "" {
			return host == o.hosts[i], true
		}
	}
	return false, false
}
