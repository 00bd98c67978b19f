// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTable(t *testing.T) {
	var out strings.Builder
	tb := table{w: &out}
	tb.heading(host{goVersion: "go1.99", cpu: "Abacus 9", commit: "abc1234", procs: 3})
	tb.row(threeRounds())
	tb.ratios([]result{threeRounds()})
	require.NoError(t, tb.err)
	want := `go1.99 PLATFORM, Abacus 9, GOMAXPROCS 3, commit abc1234

row            variant             ns/op             min..max  allocs/op       B/op   to raw

work: some work (3 rounds)
work           raw                   120            100..1000       1.00       64.0     1.00
work           ours                  500            50.0..600       0.00       16.0    0.500

ratio or figure (median over the rounds)        value     target   met
work ours/raw                                   0.500   <= 0.500   yes
work ours/raw                                   0.500   <= 0.490   no
work ours bytes                                  16.0    <= 24.0   yes
`
	assert.Equal(t, strings.Replace(want, "PLATFORM", runtime.GOOS+"/"+runtime.GOARCH, 1), out.String())
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.00", 0.00123: "0.001", 0.8: "0.800", 0.9996: "1.00", 1.234: "1.23", -12.34: "-12.3",
		9.996: "10.0", 56.78: "56.8", 99.96: "100", 12345.6: "12346",
	} {
		assert.Equal(t, want, number(v))
	}
}

func TestNanoseconds(t *testing.T) {
	assert.Equal(t, "1.50", nanoseconds(1.5))
	assert.Equal(t, "999999", nanoseconds(999_999))
	assert.Equal(t, "1.00 ms", nanoseconds(1e6))
	assert.Equal(t, "12.3 ms", nanoseconds(12_345_678))
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no room") }

func TestTheTablesFirstErrorStays(t *testing.T) {
	tb := table{w: full{}}
	tb.heading(host{})
	tb.ratios(nil)
	assert.EqualError(t, tb.err, "no room")
}
