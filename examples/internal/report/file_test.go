// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/internal/report"
)

// Whoever has the old report open, or reads while a new one is written, keeps a
// whole one.
func TestReportsTakeThePlaceOfOldOnes(t *testing.T) {
	folder := t.TempDir()
	file, old := filepath.Join(folder, "r.json"), filepath.Join(folder, "old.json")
	require.NoError(t, report.Report{Summary: report.Summary{Posts: 1}}.Write(file))
	require.NoError(t, os.Chmod(file, 0o600))
	require.NoError(t, os.Link(file, old))
	require.NoError(t, report.Report{Summary: report.Summary{Posts: 2}}.Write(file))
	assert.EqualValues(t, 1, posts(t, old))
	assert.EqualValues(t, 2, posts(t, file))
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "who may read it remains")

	link := filepath.Join(folder, "link.json")
	require.NoError(t, os.Symlink("r.json", link))
	require.NoError(t, report.Report{Summary: report.Summary{Posts: 3}}.Write(link))
	assert.EqualValues(t, 3, posts(t, file), "a link remains one")
	assert.Len(t, names(t, folder), 3, "nothing else is left")
}

func TestWhatIsNoFileIsWrittenTo(t *testing.T) {
	require.NoError(t, report.Try(os.DevNull))
	require.NoError(t, report.Report{}.Write(os.DevNull))
	info, err := os.Stat(os.DevNull)
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&os.ModeDevice)
}

func TestTryLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "r.json")
	require.NoError(t, report.Try(file))
	assert.Empty(t, names(t, folder))
	require.NoError(t, os.WriteFile(file, []byte("precious"), 0o600))
	require.NoError(t, report.Try(file))
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "precious", string(content))
	assert.Len(t, names(t, folder), 1)

	require.Error(t, report.Try(folder))
	require.Error(t, report.Try(filepath.Join(folder, "no", "r.json")))
	require.Error(t, report.Report{}.Write(folder))
}

func posts(t *testing.T, file string) int64 {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	var r report.Report
	require.NoError(t, json.Unmarshal(content, &r))
	return r.Summary.Posts
}

func names(t *testing.T, folder string) (found []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	return found
}
