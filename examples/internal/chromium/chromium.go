// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package chromium shows pages to tests in a headless Chromium.
//
// A test that asks for a page is skipped where there is no Chromium, and fails if the page
// has an error that nobody expects: an exception, a message on the console, something that
// its content security policy refused, or a request to another host.
package chromium

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for what it expects. It is long, because a test may run
// beside many others on a small machine.
const patience = 60 * time.Second

// View is how a page is looked at. The zero value is a light page on a desktop.
type View struct {
	Width, Height int // in CSS pixels; 1280 × 800 by default
	Dark          bool
	ReducedMotion bool
}

// Phone is the size of a phone, held upright.
var Phone = View{Width: 390, Height: 844}

// browser finds the program. A test is skipped where there is none, but not in continuous
// integration, which installs it.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("there is no Chromium, which continuous integration should have installed")
	}
	t.Skip("there is no Chromium on this machine to look at the page with")
	return ""
}

// Open starts a browser, which ends with the test, and opens an empty page. At the end of the
// test the page must have had no problems (see [Page.Problems]).
func Open(t *testing.T, view View) *Page {
	t.Helper()
	if testing.Short() {
		t.Skip("starting a browser takes seconds: not with -short")
	}
	if raceDetector {
		t.Skip("pages are looked at without the race detector, which has tests of its own for what serves them")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browser(t)), chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(patience),
		chromedp.DisableGPU, chromedp.NoSandbox, // Root, as in a container, has no sandbox.
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-proxy-server", true),
	)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	p := &Page{t: t}
	ctx, cancelPage := chromedp.NewContext(ctx, chromedp.WithListener(p.hear))
	t.Cleanup(cancelPage)
	p.ctx = ctx
	require.NoError(t, chromedp.Do(ctx)) // Starts the browser, which lives as long as this context.
	p.Look(view)
	t.Cleanup(func() { p.mustBeWell(); _ = chromedp.Cancel(ctx) })
	return p
}

// Look changes how the page is looked at.
func (p *Page) Look(view View) {
	p.t.Helper()
	scheme, motion := "light", "no-preference"
	if view.Dark {
		scheme = "dark"
	}
	if view.ReducedMotion {
		motion = "reduce"
	}
	width, height := 1280, 800
	if view.Width > 0 {
		width, height = view.Width, view.Height
	}
	options := []chromedp.EmulateViewportOption{}
	if width < 600 {
		options = append(options, chromedp.EmulateMobile)
	}
	p.do(
		chromedp.EmulateViewport(int64(width), int64(height), options...),
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{
					{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: motion},
				},
			})
			return err
		}),
	)
}
