// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCPUName(t *testing.T) {
	assert.Equal(t, "Abacus 9: fast", cpuName("processor\t: 0\nmodel\t\t: 2\nmodel name\t: Abacus 9: fast\n"))
	assert.Empty(t, cpuName("processor\t: 0\nBogoMIPS\t: 50.00\n"))
}

func TestTheHostIsNamed(t *testing.T) {
	h := thisHost()
	assert.NotEmpty(t, h.goVersion)
	assert.NotEmpty(t, h.cpu)
	assert.NotEmpty(t, h.commit)
	assert.Positive(t, h.procs)
	assert.Empty(t, output("git", "no-such-command"))
}
