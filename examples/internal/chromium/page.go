// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package chromium

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Page is one page of a browser. Its methods fail the test if what they do does not succeed
// in time. They must be called by the goroutine of the test.
type Page struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // It is the handle of the page.

	mu       sync.Mutex
	host     string
	problems []string
	allowed  []string
}

// hear takes down what goes wrong on the page.
func (p *Page) hear(event any) {
	problem := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		problem = "exception: " + e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			problem += " " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			problem = "console: "
			for _, arg := range e.Args {
				problem += string(arg.Value) + arg.Description + " "
			}
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			problem = fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if to, err := url.Parse(e.Request.URL); err == nil && to.Host != "" {
			p.mu.Lock()
			if p.host != "" && to.Host != p.host {
				problem = "a request to another host: " + e.Request.URL
			}
			p.mu.Unlock()
		}
	}
	if problem != "" {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.problems = append(p.problems, problem)
	}
}

// Problems returns what went wrong so far: exceptions, errors and warnings on the console,
// what the content security policy refused, and requests to other hosts.
func (p *Page) Problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.problems)
}

// Allow lets problems be that have text in them, such as the status of a request that
// the test wants to fail.
func (p *Page) Allow(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed = append(p.allowed, text)
}

func (p *Page) mustBeWell() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, problem := range p.problems {
		if !slices.ContainsFunc(p.allowed, func(text string) bool { return strings.Contains(problem, text) }) {
			assert.Fail(p.t, "the page has a problem", problem)
		}
	}
}

// do takes steps, for each of which there is a time.
func (p *Page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	get(p, "", chromedp.Steps(steps...))
}

// get returns the value of an action. what says in a failure what it was about.
func get[T any](p *Page, what string, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	require.NoError(p.t, err, what)
	return value
}

// Go opens an address.
func (p *Page) Go(address string) {
	p.t.Helper()
	to, err := url.Parse(address)
	require.NoError(p.t, err)
	p.mu.Lock()
	p.host = to.Host
	p.mu.Unlock()
	p.do(chromedp.Navigate(address))
}

// Click clicks on the first element that a CSS selector selects, once it is there and nothing
// covers it. A page may move its elements at any time, so the element is looked for and clicked
// at one moment.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.Eventually(fmt.Sprintf(`(() => {
		const element = document.querySelector(%q);
		if (!element?.checkVisibility() || element.disabled) return false;
		element.scrollIntoView({ block: "center", behavior: "instant" });
		const { x, y, width, height } = element.getClientRects()[0];
		const hit = document.elementFromPoint(x + width / 2, y + height / 2);
		if (!hit || !element.contains(hit)) return false;
		element.focus();
		element.click();
		return true;
	})()`, selector))
}

// Write puts text into a field in place of what it had.
func (p *Page) Write(selector, text string) {
	p.t.Helper()
	field := chromedp.CSS(selector)
	get(p, selector, chromedp.WaitVisible(field))
	Evaluate[string](p, fmt.Sprintf("document.querySelector(%q).value = ''", selector))
	get(p, selector, chromedp.SendKeys(field, text))
}

// Press presses keys, one after the other, in whatever has the focus: a character, or a key
// of package kb.
func (p *Page) Press(keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		p.do(chromedp.KeyEvent(key))
	}
}

// Text returns the text of the first element that a CSS selector selects, once it is there.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	return strings.TrimSpace(get(p, selector, chromedp.TextContent(chromedp.CSS(selector))))
}

// Evaluate returns the value of an expression of JavaScript on the page. It waits for a promise.
func Evaluate[T any](p *Page, expression string) T {
	p.t.Helper()
	return get(p, expression, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Eventually waits until an expression of JavaScript is true, or a promise of something that is.
func (p *Page) Eventually(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		// A page that is just being loaded has nothing to ask yet.
		asked := chromedp.Evaluate[bool]("(async () => !!(await ("+expression+")))()", chromedp.EvalAwaitPromise)
		if is, err := chromedp.Run(ctx, asked); err == nil && is {
			return
		}
		select {
		case <-ctx.Done():
			p.Screenshot(p.t.Name() + " at its failure")
			require.FailNow(p.t, "never true: "+expression, "problems: %v", p.Problems())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// EventuallyText waits until the text of what a CSS selector selects first contains text.
func (p *Page) EventuallyText(selector, text string) {
	p.t.Helper()
	p.Eventually(fmt.Sprintf("document.querySelector(%q)?.textContent.includes(%q)", selector, text))
}

// Screenshot writes a picture of the page into the folder that the environment variable
// SCREENSHOTS names, if there is one.
func (p *Page) Screenshot(name string) {
	p.t.Helper()
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		return
	}
	png := get(p, name, chromedp.CaptureScreenshot())
	file := strings.NewReplacer("/", "_", " ", "_").Replace(name) + ".png"
	//nolint:gosec // Whoever runs the tests names the folder.
	require.NoError(p.t, os.WriteFile(filepath.Join(folder, file), png, 0o600))
}
