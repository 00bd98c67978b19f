// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
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
	require.NoError(t, write(file, 1))
	require.NoError(t, os.Chmod(file, 0o600))
	require.NoError(t, os.Link(file, old))
	require.NoError(t, write(file, 2))
	assert.EqualValues(t, 1, posts(t, old))
	assert.EqualValues(t, 2, posts(t, file))
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "who may read it remains")

	link := filepath.Join(folder, "link.json")
	require.NoError(t, os.Symlink("r.json", link))
	require.NoError(t, write(link, 3))
	assert.EqualValues(t, 3, posts(t, file), "a link remains one")
	assert.Len(t, names(t, folder), 3, "nothing else is left")
}

func TestWhatIsNoFileIsWrittenTo(t *testing.T) {
	require.NoError(t, report.Try(os.DevNull))
	require.NoError(t, write(os.DevNull, 1))
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
	require.Error(t, write(folder, 1))
}

func write(file string, posts int64, traces ...report.Trace) error {
	return report.Write(file, report.Summary{Posts: posts}, slices.Values(traces))
}

// What is written trace by trace is one JSON document with all of them.
func TestReportsAreJSON(t *testing.T) {
	for n := range 3 {
		file := filepath.Join(t.TempDir(), "r.json")
		traces := []report.Trace{fanout(2), fanout(3)}[:n]
		require.NoError(t, write(file, 7, traces...))
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		whole, err := json.MarshalIndent(report.Report{Summary: report.Summary{Posts: 7}, Traces: traces}, "", " ")
		require.NoError(t, err)
		assert.JSONEq(t, string(whole), string(content))
		if n > 0 {
			assert.Equal(t, string(whole)+"\n", string(content))
		}
	}
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
