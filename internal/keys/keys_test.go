// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package keys_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// all returns what pattern's group matches in a file.
func all(t *testing.T, file, pattern string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var found []string
	for _, match := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
		found = append(found, string(match[1]))
	}
	require.NotEmpty(t, found)
	return found
}

func TestTheDocsListEveryAttributeOnce(t *testing.T) {
	inCode := all(t, "keys.go", `attribute\.Key\("(.*)"\)`)
	inDocs := all(t, "../../docs/attributes.md", "(?m)^\\| `(waybill\\.[a-z_.]+)` \\|")
	assert.ElementsMatch(t, inCode, inDocs)
}
