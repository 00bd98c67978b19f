// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/mailbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	var plain []string
	logged := 0
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "level=") {
			logged++
			assert.Contains(t, line, "waybill.process.id=ada")
			assert.Contains(t, line, "an item without a name")
			continue
		}
		plain = append(plain, strings.TrimRight(line, "\n"))
	}
	assert.Equal(t, 1, logged, "the panic is told")
	assert.Equal(t, []string{
		"Ada adds two things",
		"  ada: a lamp, a chair",
		"her cart goes to sleep",
		"  ada: a lamp, a chair",
		"and wakes up with her next message",
		"  ada: a lamp, a chair, a table",
		"a faulty message makes the cart start afresh, as it was last saved",
		"  ada: a lamp, a chair",
		"Bob has a cart of his own",
		"  ada: a lamp, a chair",
		"  bob: a book",
		"after the shutdown there are 2 files",
	}, plain)
}

// The ID of a user is no way out of the directory.
func TestCartsStayInTheirDirectory(t *testing.T) {
	dir, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	defer dir.Close()
	shop, err := newShop(dir, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	cart, err := shop.carts.GetOrSpawn("../../etc/passwd", shop.load)
	require.NoError(t, err)
	_, err = mailbox.Call(t.Context(), cart, func(r mailbox.Reply[[]string]) CartMsg { return List{r} })
	require.ErrorContains(t, err, "path escapes")
	require.NoError(t, shop.sys.Shutdown(context.Background()))
}
