// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/examples/guild/internal/app"
	"github.com/waybill-go/waybill/examples/guild/internal/nodes"
	"github.com/waybill-go/waybill/examples/internal/report"
)

func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == nodes.Command: // A guild node of a test has started it.
		os.Exit(nodes.Main(os.Stdin, os.Stdout, os.Stderr))
	case os.Getenv(asProgram) != "":
		os.Exit(app.Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

// asProgram is set where a test runs the program as a process of its own.
const asProgram = "GUILD_TEST_PROGRAM"

// patience bounds every wait of these tests; none is expected to take it.
const patience = time.Minute

// example is the program, running.
type example struct {
	t          *testing.T
	api, ws    string // addresses
	ops        string
	reportFile string
	stop       context.CancelFunc
	done       chan struct{} // closed at its end, after which the rest may be read
	code       int
	said       chan string // lines that it prints after it has invited people, if somebody takes them
	stdout     bytes.Buffer
	stderr     bytes.Buffer
}

// start runs the example in the background until it invites people to chat. It is
// interrupted when the test is done, or after a time that is for many waits.
func start(t *testing.T, args ...string) *example {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
	e := &example{
		t: t, stop: cancel, done: make(chan struct{}), said: make(chan string, 100),
		reportFile: filepath.Join(t.TempDir(), "report.json"),
	}
	read, write := io.Pipe()
	args = append([]string{"-addr", "127.0.0.1:0", "-report", e.reportFile}, args...)
	printed := make(chan struct{})
	go func() {
		defer close(e.done)
		e.code = app.Main(ctx, args, write, &e.stderr)
		_ = write.Close()
		<-printed
	}()
	t.Cleanup(func() { cancel(); <-e.done })

	invited := make(chan struct{})
	go func() {
		defer close(printed)
		open := sync.OnceFunc(func() { close(invited) })
		defer open()
		for lines := bufio.NewScanner(read); lines.Scan(); {
			e.stdout.WriteString(lines.Text() + "\n")
			select {
			case e.said <- lines.Text():
			default:
			}
			if strings.HasPrefix(lines.Text(), "interrupt to stop") {
				open()
			}
		}
	}()
	<-invited
	e.api = e.match(`chat API +http://(\S+)`)
	e.ops = e.match(`operators +http://(\S+)/tracing`)
	e.ws = e.match(`sessions +(ws://\S+/ws)`)
	return e
}

// match returns what the program printed before it invited people.
func (e *example) match(pattern string) string {
	e.t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(e.stdout.String())
	require.NotNil(e.t, found, "no %s in:\n%s\n%s", pattern, e.stdout.String(), e.stderr.String())
	return found[1]
}

// finish interrupts the program and returns its report.
func (e *example) finish() report.Report {
	e.t.Helper()
	e.stop()
	<-e.done
	require.Zero(e.t, e.code, e.stderr.String())
	return readReport(e.t, e.reportFile)
}

func readReport(t *testing.T, file string) (r report.Report) {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(content, &r))
	return r
}

// answer is what the API answers to a post.
type answer struct {
	ID         int64  `json:"id"`
	Recipients int64  `json:"recipients"`
	Delivered  int64  `json:"delivered"`
	Traced     int64  `json:"traced"`
	Error      string `json:"error"`
}

// post sends a post to a guild, with headers in pairs.
func (e *example) post(guild, body string, headers ...string) (status int, a answer) {
	e.t.Helper()
	url := "http://" + e.api + "/guilds/" + guild + "/messages"
	req, err := http.NewRequestWithContext(e.t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(e.t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(e.t, err)
	defer resp.Body.Close()
	assert.Equal(e.t, "application/json", resp.Header.Get("Content-Type"))
	require.NoError(e.t, json.NewDecoder(resp.Body).Decode(&a))
	return resp.StatusCode, a
}
