// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/internal/observe"
)

func TestNamesAreBounded(t *testing.T) {
	var names observe.Names[string]
	build := func(name string) *string { return &name }
	for range 2 { // It makes no difference which comes first the second time.
		for i := range observe.MaxNames {
			assert.Equal(t, strconv.Itoa(i), *names.Of(strconv.Itoa(i), false, build))
		}
	}
	assert.Zero(t, names.Others())
	for i := range 3 {
		assert.Equal(t, observe.Others, *names.Of("more "+strconv.Itoa(i), false, build))
	}
	assert.EqualValues(t, 3, names.Others())
	assert.Equal(t, "known", *names.Of("known", true, build), "in a configuration, which has its own bound")
	assert.Equal(t, "7", *names.Of("7", false, build))
	assert.EqualValues(t, 3, names.Others())
	assert.Equal(t, observe.MaxNames+2, names.Len())

	found := 0
	for name, value := range names.All() {
		assert.Equal(t, name, *value)
		found++
	}
	assert.Equal(t, observe.MaxNames+2, found)
}
