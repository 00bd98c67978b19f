// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package readme_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// notForUsers are directories with packages that nobody imports.
var notForUsers = []string{"internal", "examples", "bench", "tools", "cmd", "interop"}

// userPackages returns the directories of the packages that users import.
func userPackages(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, file := range files(t, []string{"../../*/doc.go", "../../*/*/doc.go"}) {
		dir, err := filepath.Rel("../..", filepath.Dir(file))
		require.NoError(t, err)
		dir = filepath.ToSlash(dir)
		if !slices.ContainsFunc(strings.Split(dir, "/"), func(part string) bool { return slices.Contains(notForUsers, part) }) {
			found = append(found, dir)
		}
	}
	return found
}

// TestEveryPackageIsFound checks the two places where somebody new looks for packages.
func TestEveryPackageIsFound(t *testing.T) {
	root, readme := read(t, "../../doc.go"), read(t, "../../README.md")
	found := userPackages(t)
	require.Contains(t, found, "envelope/wire")
	for _, dir := range found {
		if !strings.Contains(root, "[github.com/waybill-go/waybill/"+dir+"]") {
			t.Error("the root package does not lead to", dir)
		}
		if !strings.Contains(readme, "]("+dir+")") {
			t.Error("the README does not lead to", dir)
		}
	}
}
