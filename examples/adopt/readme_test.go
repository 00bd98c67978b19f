// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/internal/readmetest"
)

func TestReadmeShowsTheDifferences(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	files, err := filepath.Glob("before/*.go")
	require.NoError(t, err)
	require.Len(t, files, len(pieces))
	assert.Equal(t, len(pieces), strings.Count(string(readme), "```diff\n"))
	for _, file := range files {
		added, removed := readmetest.ShowsDifference(t, file, "after/"+filepath.Base(file))
		assert.Less(t, added+removed, 25, "changed lines of %s", file)
		row := fmt.Sprintf(`(?m)\(after/%s\) \|.*\| %d \| %d \|$`, filepath.Base(file), added, removed)
		assert.Regexp(t, row, string(readme))
	}
	for _, piece := range pieces {
		assert.Contains(t, string(readme), "\n## "+piece.name+"\n")
	}
}
