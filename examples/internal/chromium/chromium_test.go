// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package chromium_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/internal/chromium"
)

const page = `<!doctype html><title>A page</title><link rel=icon href=data:,>
<label>name <input id=name></label> <button id=greet>greet</button> <p id=greeting></p>
<script>
document.querySelector("#greet").onclick = () => {
  document.querySelector("#greeting").textContent = "hello " + document.querySelector("#name").value;
};
</script>`

func serve(t *testing.T, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestAPageIsUsed(t *testing.T) {
	p := chromium.Open(t, chromium.View{})
	p.Go(serve(t, page))
	p.Write("#name", "Ada")
	p.Click("#greet")
	p.EventuallyText("#greeting", "hello Ada")
	p.Write("#name", "Grace")
	p.Press(kb.Tab, kb.Enter)
	p.EventuallyText("#greeting", "hello Grace")
	assert.Equal(t, "hello Grace", p.Text("#greeting"))
	assert.Empty(t, p.Problems())
}

func TestAPageIsLookedAt(t *testing.T) {
	p := chromium.Open(t, chromium.Phone)
	p.Go(serve(t, page))
	look := func() (width int, dark, still bool) {
		return chromium.Evaluate[int](p, "innerWidth"),
			chromium.Evaluate[bool](p, `matchMedia("(prefers-color-scheme: dark)").matches`),
			chromium.Evaluate[bool](p, `matchMedia("(prefers-reduced-motion: reduce)").matches`)
	}
	_, dark, still := look()
	assert.False(t, dark)
	assert.False(t, still)
	p.Look(chromium.View{Dark: true, ReducedMotion: true})
	width, dark, still := look()
	assert.Equal(t, 1280, width)
	assert.True(t, dark)
	assert.True(t, still)
}

// Each of these pages has a problem, and the test hears of it.
func TestProblemsAreFound(t *testing.T) {
	p := chromium.Open(t, chromium.View{})
	elsewhere := serve(t, page)
	for name, body := range map[string]string{
		"boom":           `<link rel=icon href=data:,><script>throw new Error("boom")</script>`,
		"on the console": `<link rel=icon href=data:,><script>console.error("on the console")</script>`,
		"another host":   `<link rel=icon href=data:,><img src="` + elsewhere + `/other.png">`,
		"404":            `<link rel=icon href=data:,><img src="/missing.png">`,
		"Content Security Policy": `<link rel=icon href=data:,>
			<meta http-equiv="Content-Security-Policy" content="script-src 'none'"><script>1</script>`,
	} {
		p.Allow(name)
		p.Go(serve(t, body))
		require.Eventually(t, func() bool {
			return strings.Contains(strings.Join(p.Problems(), "\n"), name)
		}, 30*time.Second, 20*time.Millisecond, "%s: %v", name, p.Problems())
	}
	p.Allow("404") // The image of the other host is missing too.
}
