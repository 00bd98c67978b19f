// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/dop251/goja"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/examples/guild/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// feed is the page's own feed, in an interpreter: these tests need no browser.
type feed struct {
	t  *testing.T
	js *goja.Runtime
}

func newFeed(t *testing.T) feed {
	t.Helper()
	w := httptest.NewRecorder()
	web.Handler(web.Config{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/feed.js", nil))
	require.Equal(t, http.StatusOK, w.Code)
	f := feed{t, goja.New()}
	f.run(w.Body.String())
	f.run(`
		const shown = [], said = []; let renewed = 0;
		const feed = new Feed({ show: (m) => shown.push(m.seq), say: (s) => said.push(s), anew: () => renewed++ });
		const ready = (last, missed) => feed.take({ type: "ready", last, missed });
		const message = (seq) => feed.take({ type: "message", seq });`)
	return f
}

func (f feed) run(script string) any {
	f.t.Helper()
	v, err := f.js.RunString(script)
	require.NoError(f.t, err)
	return v.Export()
}

// Two who post at once have the posts' IDs come in any order, and their numbers one
// by one: all are shown.
func TestFeedShowsEachMessageInOrder(t *testing.T) {
	f := newFeed(t)
	f.run(`feed.history([{ id: 3, seq: 1 }, { id: 1, seq: 2 }]); ready(2);`)
	assert.Equal(t, true, f.run(`
		let trusted = true;
		for (let seq = 3; seq <= 100; seq++) {
			trusted &&= feed.take({ type: "message", id: 1000 - seq, seq });
			trusted &&= message(seq) && message(1); // Twice harms nobody.
		}
		trusted`))
	assert.Equal(t, true, f.run(`shown.length === 100 && shown.every((seq, i) => seq === i + 1)`))
	assert.Equal(t, "&since=100", f.run(`feed.query`))
}

// A message that comes too early is not shown, nor are those after it; the next
// connection begins with what is missing.
func TestFeedLeavesNothingOut(t *testing.T) {
	f := newFeed(t)
	assert.Empty(t, f.run(`feed.query`), "at first it does not know where to begin")
	assert.Equal(t, true, f.run(`ready(7) && message(8)`))
	assert.Equal(t, false, f.run(`message(10)`))
	assert.Equal(t, false, f.run(`message(11)`))
	assert.Equal(t, "&since=8", f.run(`feed.query`))
	assert.Equal(t, true, f.run(`ready(8) && message(9) && message(10)`))
	assert.Equal(t, []any{int64(8), int64(9), int64(10)}, f.run(`shown`))
	assert.Empty(t, f.run(`said`))
	assert.Equal(t, true, f.run(`feed.take({ type: "of a later version" })`))
}

func TestFeedSaysWhatIsGone(t *testing.T) {
	f := newFeed(t)
	f.run(`feed.history([]); ready(0); message(1); ready(100, 99); message(101);`)
	assert.Equal(t, []any{int64(1), int64(101)}, f.run(`shown`))
	assert.Equal(t, []any{"99 messages are no longer stored"}, f.run(`said`))
	assert.Zero(t, f.run(`renewed`))
	f.run(`ready(3)`)
	assert.EqualValues(t, 1, f.run(`renewed`), "the numbers are of another history")
}

func TestFeedWaitsLongerFromTryToTry(t *testing.T) {
	f := newFeed(t)
	delays := f.run(`ready(0); [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map(() => feed.delay(1))`)
	assert.Equal(t, []any{
		int64(250), int64(500), int64(1000), int64(2000), int64(4000), int64(8000),
		int64(15000), int64(15000), int64(15000), int64(15000), int64(15000), int64(15000), int64(15000),
	}, delays)
	assert.EqualValues(t, 7500, f.run(`feed.delay(0)`), "not all at once")
	assert.EqualValues(t, 250, f.run(`message(1); feed.delay(1)`), "until it works again")
}
