// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"bytes"
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/app"
)

// interrupter is an output that ends the run as soon as it says something.
type interrupter struct {
	bytes.Buffer

	at   string
	stop context.CancelFunc
}

func (i *interrupter) Write(p []byte) (int, error) {
	n, err := i.Buffer.Write(p)
	if strings.Contains(i.String(), i.at) {
		i.stop()
	}
	return n, err
}

// After an interrupt the report says what happened, not what was asked for.
func TestReportsTellWhatHappened(t *testing.T) {
	for _, test := range []struct {
		at       string
		sessions int64
	}{
		{"chat API", 0},
		{"connecting sessions: 20 of 20", 20},
	} {
		file := filepath.Join(t.TempDir(), "r.json")
		ctx, cancel := context.WithCancel(t.Context())
		out := interrupter{at: test.at, stop: cancel}
		var errOut bytes.Buffer
		args := []string{"-once", "-sessions", "20", "-posts", "3000", "-report", file}
		require.Zero(t, app.Main(ctx, args, &out, &errOut), errOut.String())
		r := readReport(t, file)
		assert.Equal(t, test.sessions, r.Summary.Sessions, test.at)
		assert.Zero(t, r.Summary.Posts, test.at)
		assert.Contains(t, out.String(), "and 0 of 3000 posts stored")
	}
	e := start(t, "-sessions", "20", "-posts", "2")
	status, _ := e.post("1", `{"content":"one more"}`)
	require.Equal(t, http.StatusCreated, status)
	assert.EqualValues(t, 3, e.finish().Summary.Posts, "all that came, from wherever")
}
