// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package consoletest_test looks at the pages of the console in a browser.
package consoletest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/examples/internal/chromium"
)

const hostile = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>&lt;` + "\u202e\x00\x1b[31m"

// What strangers enter is shown as the text that it is, wherever it is shown.
func TestHostileTextIsShownAsText(t *testing.T) {
	w := newWorld(t)
	id := w.record(
		stub(1, 0, hostile, 0, 50, inService(hostile), with(
			attribute.String(hostile, hostile), attribute.String("waybill.process.kind", hostile),
			attribute.String("waybill.process.id", hostile), attribute.String("waybill.late.reason", hostile))),
		stub(2, 1, strings.Repeat(hostile, 200), 10, 40, failed(hostile), event(hostile)),
	)
	p := chromium.Open(t, chromium.View{})
	p.Go(w.url)
	p.EventuallyText("tbody", "onerror")
	p.Click("tbody tr a")
	p.EventuallyText("h1", "onerror")
	p.Click(".wf-row .wf-title")
	p.EventuallyText(".trace-detail", "Attributes")
	p.Press(kb.ArrowDown)
	p.EventuallyText(".trace-detail", "Events")
	assert.Zero(t, chromium.Evaluate[int](p, `document.querySelectorAll("img[onerror], main script").length`))
	assert.NotEqual(t, "owned", chromium.Evaluate[string](p, "document.title"))
	p.Screenshot("hostile")
	for _, page := range []string{"#/processes", "#/sampling", "#/health", "#/traces/" + id + "/" + spanID(2).String()} {
		p.Go(w.url + page)
		p.Eventually(`document.querySelector("h1")`)
		assert.NotEqual(t, "owned", chromium.Evaluate[string](p, "document.title"), page)
	}
}

// Of ten thousand spans, only those in view are in the page, so that it stays smooth.
func TestTenThousandSpans(t *testing.T) {
	const spans = 10_000
	w := newWorld(t)
	stubs := []stubbed{stub(1, 0, "post", 0, spans)}
	for i := 2; i <= spans; i++ {
		// Names differ, so that nothing is folded.
		stubs = append(stubs, stub(i, i/2, fmt.Sprintf("step %d", i), float64(i-1), 1))
	}
	id := w.record(stubs...)
	p := chromium.Open(t, chromium.View{})
	p.Go(w.url + "#/traces/" + id)
	p.EventuallyText(".trace-facts", "10,000\u00a0spans")
	p.Eventually(`document.querySelector(".wf-row")`)
	inPage := func() int { return chromium.Evaluate[int](p, `document.querySelectorAll(".wf-row").length`) }
	assert.Less(t, inPage(), 200)

	p.Click(".wf-row .wf-title")
	p.Press("*", kb.End) // Opens all, and goes to the last one.
	p.Eventually(fmt.Sprintf(`document.activeElement.getAttribute("aria-rowindex") == %d`, spans+1))
	assert.Less(t, inPage(), 200)
	assert.Equal(t, fmt.Sprint(spans+1), chromium.Evaluate[string](p, `document.querySelector("[role=treegrid]").getAttribute("aria-rowcount")`))
	p.Press(kb.Home)
	p.Eventually(`document.activeElement.getAttribute("aria-rowindex") == 2`)

	// How long the page takes to draw itself anew, from one place to the next. It is not
	// judged here, since other tests run at the same time.
	frames := chromium.Evaluate[[]float64](p, `(async () => {
		const took = [], frame = () => new Promise(requestAnimationFrame);
		for (let i = 0; i < 100; i++) {
			await frame();
			const begun = performance.now();
			scrollTo(0, i * document.body.scrollHeight / 100);
			await frame(); // In which the page draws, before this goes on.
			document.querySelector(".wf-rows").getBoundingClientRect();
			took.push(performance.now() - begun);
		}
		return took.sort((a, b) => a - b);
	})()`)
	require.Len(t, frames, 100)
	t.Logf("a step of scrolling: median %.1f ms, longest %.1f ms", frames[50], frames[99])
}

// All that a person does with a mouse, the keyboard does too.
func TestTheKeyboardIsEnough(t *testing.T) {
	w := newWorld(t)
	id := w.record(
		stub(1, 0, "post", 0, 100, inService("api")),
		stub(2, 1, "guild MessageCreate", 60, 40, inService("guild"), failed("it broke"), with(attribute.Float64("waybill.queue.duration", 0.05))),
	)
	p := chromium.Open(t, chromium.View{})
	p.Go(w.url)
	p.EventuallyText("tbody", "post")
	tabTo(p, `tbody tr a`)
	p.Press(kb.Enter)
	p.EventuallyText("h1", "post")
	p.Eventually(`document.querySelector(".wf-row")`)
	tabTo(p, ".wf-row")
	p.Press(kb.ArrowDown)
	p.Eventually(`document.activeElement.getAttribute("aria-label").includes("guild MessageCreate")`)
	label := chromium.Evaluate[string](p, `document.activeElement.getAttribute("aria-label")`)
	for _, part := range []string{"waited 50.0\u00a0ms", "failed"} {
		assert.Contains(t, label, part)
	}
	p.Press(kb.Enter)
	p.EventuallyText(".trace-detail", "it broke")
	assert.Contains(t, chromium.Evaluate[string](p, "location.hash"), "#/traces/"+id+"/"+spanID(2).String())
	p.Press(kb.Escape)
	p.Eventually(`document.querySelector(".trace-detail").hidden`)
	p.Press(kb.ArrowLeft) // To the parent, and there is nothing above that.
	p.Eventually(`document.activeElement.getAttribute("aria-label").includes("post")`)
	p.Press(kb.ArrowLeft)
	p.Eventually(`document.activeElement.getAttribute("aria-expanded") == "false"`)
	for _, page := range []string{"Processes", "Sampling", "Health", "Traces"} {
		p.Eventually(fmt.Sprintf(`[...document.querySelectorAll("nav a")].some((a) => a.textContent.trim() == %q)`, page))
		tabTo(p, fmt.Sprintf(`nav a[href="#/%s"]`, strings.ToLower(page)))
		p.Press(kb.Enter)
		// The heading has the focus when the page is there.
		p.Eventually(fmt.Sprintf(`document.activeElement.matches("h1") && document.activeElement.textContent.includes(%q)`, page))
	}
}

// tabTo goes through the page by the key Tab, until something that a CSS selector selects has
// the focus.
func tabTo(p *chromium.Page, selector string) {
	for range 60 {
		p.Press(kb.Tab)
		if chromium.Evaluate[bool](p, fmt.Sprintf("document.activeElement.matches(%q)", selector)) {
			return
		}
	}
	p.Eventually(fmt.Sprintf("document.activeElement.matches(%q)", selector)) // Which fails, and says what.
}

// A page that is asked for later shows what came meanwhile, and the list follows by itself.
func TestTheListFollows(t *testing.T) {
	w := newWorld(t)
	p := chromium.Open(t, chromium.View{})
	p.Go(w.url)
	p.EventuallyText("main", "No traces yet")
	w.record(stub(1, 0, "first", 0, 10))
	p.EventuallyText("tbody", "first")
	w.record(stub(1, 0, "second", 0, 10, failed("no")))
	p.EventuallyText("tbody", "second")
	p.Click(`form input[type=checkbox]`)
	p.Eventually(`!document.querySelector("tbody").textContent.includes("first")`)
	assert.Contains(t, p.Text("tbody"), "second")
	assert.Contains(t, chromium.Evaluate[string](p, "location.hash"), "failed=true")
}

// No page of the console is wider than what it is looked at with.
func TestPagesFit(t *testing.T) {
	w := newWorld(t)
	id := w.broadcast(t)
	p := chromium.Open(t, chromium.View{})
	for name, view := range map[string]chromium.View{
		"desktop light": {}, "desktop dark": {Dark: true},
		"phone light": chromium.Phone, "phone dark": {Width: 390, Height: 844, Dark: true, ReducedMotion: true},
	} {
		p.Look(view)
		for title, page := range map[string]string{
			"traces": "#/traces", "trace": "#/traces/" + id, "processes": "#/processes", "process": "#/processes/guild/14",
			"sampling": "#/sampling", "health": "#/health",
		} {
			p.Go("about:blank")
			p.Go(w.url + page)
			p.Eventually(`document.querySelector("main h1") && document.querySelector("main").children.length > 0`)
			p.Eventually(`document.querySelector("main").textContent.length > 40`)
			p.Screenshot(title + " " + name)
			over := chromium.Evaluate[int](p, "document.documentElement.scrollWidth - document.documentElement.clientWidth")
			assert.LessOrEqual(t, over, 0, "%s, %s: wider than the window", title, name)
			background := chromium.Evaluate[string](p, "getComputedStyle(document.documentElement).backgroundColor")
			assert.Equal(t, view.Dark, isDark(t, background), "%s, %s: %s", title, name, background)
		}
	}
}

// On a phone, names have the width of the window, and the time axis stays at its top while the
// header of the console scrolls away.
func TestAPhoneIsUsedToItsEdges(t *testing.T) {
	const spans, phoneWidth = 60, 390
	w := newWorld(t)
	stubs := []stubbed{stub(1, 0, "a trace whose name is longer than half of a phone", 0, spans)}
	for i := 2; i <= spans; i++ {
		stubs = append(stubs, stub(i, 1, fmt.Sprintf("step %d", i), float64(i-1), 1))
	}
	id := w.record(stubs...)
	p := chromium.Open(t, chromium.Phone)
	p.Go(w.url)
	p.EventuallyText("tbody", "a trace")
	assert.Greater(t, chromium.Evaluate[float64](p, `document.querySelector("th.name").getBoundingClientRect().width`), phoneWidth*0.8)
	p.Go(w.url + "#/traces/" + id)
	p.Eventually(`document.querySelector(".wf-row")`)
	p.Eventually(`(scrollTo(0, 1500), document.querySelector(".wf-head").getBoundingClientRect().top === 0)`)
	p.Look(chromium.View{}) // Where the header stays, the axis is below it.
	p.Eventually(`(scrollTo(0, 1500), document.querySelector(".wf-head").getBoundingClientRect().top ===
		document.querySelector("body > header").getBoundingClientRect().bottom)`)
}

func isDark(t *testing.T, rgb string) bool {
	t.Helper()
	var r, g, b int
	_, err := fmt.Sscanf(rgb, "rgb(%d, %d, %d)", &r, &g, &b)
	require.NoError(t, err, rgb)
	return r+g+b < 3*128
}

// The curve is changed on the page, and the next fan-out follows it.
func TestTheCurveIsChanged(t *testing.T) {
	w := newWorld(t)
	before := w.broadcast(t)
	require.Less(t, w.sampledOf(t, before), recipients, "the default curve samples some")
	p := chromium.Open(t, chromium.View{})
	p.Go(w.url + "#/sampling")
	changeCurve(t, p)
	w.eventuallyAlways(t)
	after := w.broadcast(t)
	assert.Equal(t, recipients, w.sampledOf(t, after), "the new curve samples all")
	p.Go("about:blank")
	p.Go(w.url + "#/traces/" + after)
	p.EventuallyText(".trace-facts", fmt.Sprintf("%d\u00a0spans", recipients+3)) // With those of the post, the guild and the broadcast.
}

// changeCurve has every recipient of the group sampled: it takes away all points of the curve
// but the first one, which is 100 %.
func changeCurve(t *testing.T, p *chromium.Page) {
	t.Helper()
	const group = `section[aria-label="Group sessions"]`
	p.Eventually(fmt.Sprintf(`document.querySelector('%s button')?.checkVisibility()`, group))
	p.Click(group + " .beside > div > p button")
	p.Eventually(fmt.Sprintf(`document.querySelector('%s form .points tbody tr')`, group))
	for chromium.Evaluate[int](p, fmt.Sprintf(`document.querySelectorAll('%s form .points tbody tr').length`, group)) > 1 {
		p.Click(group + " form .points tbody tr:last-child button")
	}
	p.Write(group+` form .points input[aria-label^="Share"]`, "100")
	p.Click(group + " form button[type=submit]")
	p.Eventually(fmt.Sprintf(`!document.querySelector('%s form')`, group))
}

// failed says that a span failed.
func failed(why string) option {
	return func(s *stubbed) { s.Status = sdktrace.Status{Code: codes.Error, Description: why} }
}

func event(name string) option {
	return func(s *stubbed) {
		s.Events = append(s.Events, sdktrace.Event{Name: name, Time: s.StartTime, Attributes: []attribute.KeyValue{attribute.String(name, name)}})
	}
}

func with(attrs ...attribute.KeyValue) option {
	return func(s *stubbed) { s.Attributes = append(s.Attributes, attrs...) }
}
