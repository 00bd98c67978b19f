// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package load

import "sync"

// failure is the first that went wrong, which says most.
type failure struct {
	mu  sync.Mutex
	err error
}

func (f *failure) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *failure) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
