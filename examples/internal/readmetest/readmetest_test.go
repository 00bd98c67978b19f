// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package readmetest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/examples/internal/readmetest"
)

func TestApply(t *testing.T) {
	const before = "one\ntwo\nthree\nfour\n"
	for _, test := range []struct{ name, diff, want string }{
		{"nothing", "@@ -1,1 +1,1 @@\n one\n", before},
		{"added", "@@ -1,2 +1,3 @@\n two\n+new\n", "one\ntwo\nnew\nthree\nfour\n"},
		{"at the start", "@@ -1,2 +1,3 @@\n+new\n one\n", "new\none\ntwo\nthree\nfour\n"},
		{"removed", "@@ -1,1 +1,0 @@\n-two\n", "one\nthree\nfour\n"},
		{"two hunks", "@@ -1 +1 @@\n-one\n+1\n@@ -4 +4 @@\n-four\n+4\n", "1\ntwo\nthree\n4\n"},
		{"other lines", "@@ -1 +1 @@\n-five\n", ""},
		{"another order", "@@ -1 +1 @@\n two\n one\n", ""},
		{"no mark", "@@ -1 +1 @@\n\n", ""},
	} {
		got, err := readmetest.Apply(before, test.diff)
		assert.Equal(t, test.want, got, test.name)
		assert.Equal(t, test.want == "", err != nil, test.name)
	}
}
