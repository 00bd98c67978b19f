// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package files_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/cmd/waybill-viewer/internal/files"
)

func TestWhatWasSavedIsRead(t *testing.T) {
	const goroutines, times = 4, 25
	name := filepath.Join(t.TempDir(), "spans.json")
	saver, err := files.Create(name)
	require.NoError(t, err)
	spans := recorded(t)
	var group sync.WaitGroup
	for range goroutines {
		group.Go(func() {
			for range times {
				assert.NoError(t, saver.Save(spans))
			}
		})
	}
	group.Wait()
	_, err = os.Stat(name)
	assert.ErrorIs(t, err, os.ErrNotExist, "it is not complete")
	require.NoError(t, saver.Close())
	require.NoError(t, saver.Save(spans), "it does nothing")
	want := goroutines * times * len(spans)
	assert.Equal(t, want, saver.Spans())

	info, err := os.Stat(name)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, goroutines*times, bytes.Count(text, []byte("\n")), "an object a line")
	var got []sdktrace.ReadOnlySpan
	counts, err := files.Read(bytes.NewReader(text), func(all []sdktrace.ReadOnlySpan) { got = append(got, all...) })
	require.NoError(t, err)
	assert.Equal(t, files.Counts{Spans: want}, counts)
	assert.Equal(t, string(written(t, spans)), string(written(t, got[:len(spans)])))
	entries, err := os.ReadDir(filepath.Dir(name))
	require.NoError(t, err)
	assert.Len(t, entries, 1)
}

// TestAFileIsReplacedAsAWhole reads a file while it is written anew.
func TestAFileIsReplacedAsAWhole(t *testing.T) {
	name := filepath.Join(t.TempDir(), "spans.json")
	require.NoError(t, os.WriteFile(name, []byte("as it was"), 0o600))
	saver, err := files.Create(name)
	require.NoError(t, err)
	spans := recorded(t)
	require.NoError(t, saver.Save(spans))
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, "as it was", string(text))
	require.NoError(t, saver.Close())
	text, err = os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, string(written(t, spans)), string(text))
}

func TestNamesThatAreNoFilesAreRefused(t *testing.T) {
	_, err := files.Create(t.TempDir())
	assert.ErrorContains(t, err, "is not a file")
	_, err = files.Create(filepath.Join(t.TempDir(), "none", "spans.json"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}
