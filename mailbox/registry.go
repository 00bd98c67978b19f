// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mailbox

import (
	"fmt"
)

// GetOrSpawn returns the kind's registered process of that ID. If there is none, it starts
// one with [Kind.SpawnInstance] and registers it. Several that ask at the same time get
// the same process. Processes that were spawned in another way are not registered.
//
// A process stays registered until it has ended. While it is being stopped it refuses
// messages; once it is Done, GetOrSpawn starts a new one.
func (k *Kind[M]) GetOrSpawn(id string, factory Factory[M]) (Ref[M], error) {
	if ref, ok := k.Lookup(id); ok {
		return ref, nil
	}
	if factory == nil {
		return Ref[M]{}, fmt.Errorf("%w: kind %q spawned without a Factory", ErrConfig, k.name)
	}
	r := &k.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.byID[id]; p != nil {
		return Ref[M]{p}, nil
	}
	p := &process[M]{kind: k, id: id, factory: factory}
	p.state.Store(flagNamed)
	ref, err := k.spawn(p)
	if err != nil {
		return ref, err
	}
	if r.byID == nil {
		r.byID = make(map[string]*process[M])
	}
	r.byID[id] = p
	return ref, nil
}

// Lookup returns the kind's registered process of that ID, if there is one.
func (k *Kind[M]) Lookup(id string) (Ref[M], bool) {
	r := &k.registry
	r.mu.RLock()
	defer r.mu.RUnlock()
	p := r.byID[id]
	return Ref[M]{p}, p != nil
}

// unregister forgets the process, which has ended.
func (k *Kind[M]) unregister(p *process[M]) {
	if p.state.Load()&flagNamed == 0 {
		return
	}
	r := &k.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byID, p.id)
}
