// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"errors"
	"reflect"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
)

var errTwice = errors.New("registered already with this meter and these attributes")

// Registry knows where one source of figures is registered. If a source were registered
// twice with the same attributes, its figures would be doubled, so the second
// registration is refused. The zero Registry is ready for use. Any number of goroutines
// may use it, and it must not be copied.
type Registry struct {
	mu   sync.Mutex
	held map[registryKey]struct{}
}

type registryKey struct {
	meter metric.Meter
	attrs attribute.Distinct
}

// once registers with the meter, unless the same registration exists.
func (r *Registry) once(
	meter metric.Meter, attrs attribute.Set, register func() (metric.Registration, error),
) (metric.Registration, error) {
	if !reflect.ValueOf(meter).Comparable() { // We cannot tell whether it is the same meter.
		return register()
	}
	key := registryKey{meter, attrs.Equivalent()}
	r.mu.Lock()
	_, twice := r.held[key]
	if !twice {
		if r.held == nil {
			r.held = make(map[registryKey]struct{})
		}
		r.held[key] = struct{}{}
	}
	r.mu.Unlock()
	if twice {
		return nil, errTwice
	}
	registration, err := register()
	if err != nil {
		r.release(key)
		return nil, err
	}
	return &held{registration: registration, release: func() { r.release(key) }}, nil
}

func (r *Registry) release(key registryKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.held, key)
}

// held is a registration that its registry knows.
type held struct {
	embedded.Registration

	mu           sync.Mutex
	registration metric.Registration // nil after Unregister
	release      func()
}

// Unregister implements metric.Registration. It may be called again.
func (h *held) Unregister() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.registration == nil {
		return nil
	}
	if err := h.registration.Unregister(); err != nil {
		return err
	}
	h.registration = nil
	h.release()
	return nil
}
