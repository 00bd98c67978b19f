// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/waybill-go/waybill/examples/internal/chromium"
)

// browse starts the example, and opens its page in a browser.
func browse(t *testing.T, args ...string) (*chromium.Page, string) {
	t.Helper()
	e := start(t, append([]string{"-sessions", "200", "-posts", "2", "-slow", "0"}, args...)...)
	p := chromium.Open(t, chromium.View{}) // Closed before the program ends, which the page would complain of.
	address := "http://" + e.api + "/"
	p.Go(address)
	p.EventuallyText("#state", "connected")
	return p, address
}

// A post is written on the page, comes back over its WebSocket as the text that it is, and leads to
// a trace that begins in the browser, with a sentence on what took the time.
func TestAPostOnThePageAndItsTrace(t *testing.T) {
	p, address := browse(t)
	const hostile = `<img src=x onerror="document.title='owned'"> & <script>document.title='owned'</script>`
	p.Write("#content", hostile)
	p.Click("#send")
	p.EventuallyText("#messages", hostile)
	p.EventuallyText("#state", "delivered to")
	p.Eventually(`document.querySelector('#messages li:last-child a[href*="console/#/traces/"]')`)
	trace := chromium.Evaluate[string](p, `document.querySelector('#messages li:last-child a').getAttribute("href")`)
	p.EventuallyText("#messages li:last-child .why", " %")
	assert.NotEqual(t, "owned", chromium.Evaluate[string](p, "document.title"))
	p.Screenshot("guild page")

	p.Go(address + trace)
	p.EventuallyText("main h1", "send post")
	p.EventuallyText(".wf-rows", "browser")
	for _, service := range []string{"chat-api", "guild", "session"} {
		p.EventuallyText(".trace", service)
	}
	p.EventuallyText(".trace-summary", " %")
	p.Screenshot("trace of a post")
}

// Each trouble is caused by a click, and found where the page says that it is.
func TestTroubleIsFound(t *testing.T) {
	p, address := browse(t)
	console := address + "console/"
	begin := func(name string) {
		p.Go(address)
		p.Click("#" + name + "-start")
		p.Eventually(fmt.Sprintf(`document.getElementById(%q).textContent.trim() != ""`, name+"-state"))
	}
	look := func(hash string) {
		p.Go("about:blank") // Another hash alone would load no page.
		p.Go(console + hash)
	}
	end := func(name string) {
		p.Go(address)
		p.Click("#" + name + "-stop")
	}

	begin("slow-guild")
	p.EventuallyText("#slowest .sentence", "guild 1")
	p.Screenshot("trouble")
	look("#/processes/guild/1")
	p.EventuallyText("main", "most of it with Publish")
	p.Screenshot("slow guild, its minutes")
	look("#/processes")
	p.EventuallyText("main", "guild 1")
	p.Screenshot("slow guild, processes")
	look("#/traces?at_least=300ms") // On a busy machine some are slow for another reason.
	p.Eventually(clickOn("", `JSON.parse(text).explanation.sentence.includes("guild 1")`))
	p.EventuallyText(".trace-summary", "guild 1")
	p.Screenshot("slow guild, a trace")
	end("slow-guild")

	begin("slow-sessions")
	look("#/traces?late=any")
	p.EventuallyText("tbody", "late: ")
	end("slow-sessions")

	begin("panic-session")
	look("#/traces?failed=true")
	p.EventuallyText("tbody", "error")
	p.Eventually(clickOn("/otlp.json", `text.includes("goroutine ")`)) // And some fail.
	p.Eventually(clickUntil(".wf-row.wf-failed .wf-title", ".trace-detail", "goroutine "))
	p.Screenshot("a panic")

	begin("panic-guild")
	look("#/processes")
	p.Eventually(cell("guild", "Restarts", "> 0"))

	begin("full-mailbox")
	look("#/processes")
	p.Eventually(cell("session", "Refused", "> 0"))
	look("#/traces?late=refused_full")
	p.EventuallyText("tbody", "late: refused full")
}

// clickOn returns an expression of JavaScript that clicks on the first trace of a list whose text is as
// wanted, and is true if there is one. The text is what the console answers at the trace's path with
// suffix.
func clickOn(suffix, wanted string) string {
	return fmt.Sprintf(`(async () => {
		for (const link of document.querySelectorAll("tbody tr a")) {
			const text = await (await fetch("api" + link.hash.slice(1) + %q)).text();
			if (%s) {
				link.click();
				return true;
			}
		}
		return false;
	})()`, suffix, wanted)
}

// clickUntil returns an expression of JavaScript that clicks on one element after the other, each after
// some time, and is true when another one shows a text.
func clickUntil(selector, shows, text string) string {
	return fmt.Sprintf(`(() => {
		const found = document.querySelector(%[2]q)?.textContent.includes(%[3]q);
		const all = document.querySelectorAll(%[1]q);
		window.asked = (window.asked ?? -1) + 1;
		if (!found && window.asked %% 100 == 0) all[window.asked / 100 %% all.length]?.click();
		return found;
	})()`, selector, shows, text)
}

// cell returns an expression of JavaScript about a number in the table of kinds.
func cell(kind, column, is string) string {
	return fmt.Sprintf(`(() => {
		const table = document.querySelector("main table");
		const at = [...table?.querySelectorAll("thead th") ?? []].findIndex((th) => th.textContent.includes(%q));
		const row = [...table?.querySelectorAll("tbody tr") ?? []].find((tr) => tr.cells[0].textContent.trim() == %q);
		return Number(row?.cells[at]?.textContent.replace(/[^0-9]/g, "")) %s;
	})()`, column, kind, is)
}

// The page and the panel fit on a phone, and need no mouse.
func TestThePageFits(t *testing.T) {
	p, address := browse(t)
	for name, view := range map[string]chromium.View{
		"desktop": {}, "desktop dark": {Dark: true}, "phone": chromium.Phone, "phone dark": {Width: 390, Height: 844, Dark: true},
	} {
		p.Look(view)
		p.Go("about:blank")
		p.Go(address)
		p.Eventually(`document.querySelectorAll("#trouble li").length > 3`)
		p.Screenshot("guild " + name)
		over := chromium.Evaluate[int](p, "document.documentElement.scrollWidth - document.documentElement.clientWidth")
		assert.LessOrEqual(t, over, 0, "%s: wider than the window", name)
	}
	for id := range strings.FieldsSeq("content send slow-guild-start full-mailbox-start panic-session-start") {
		assert.True(t, chromium.Evaluate[bool](p, fmt.Sprintf(`(() => {
			const element = document.getElementById(%q);
			element.focus();
			return document.activeElement === element;
		})()`, id)), id)
	}
}
