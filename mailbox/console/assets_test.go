// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/mailbox/console"
)

// what matches in a script leads to another file.
var references = regexp.MustCompile(`(?:from|import|module:)\s*\(?"\./([^"]+)"`)

func TestEveryFileOfThePageIsThere(t *testing.T) {
	con := console.New(console.Config{})
	entries, err := os.ReadDir("assets")
	require.NoError(t, err)
	used := map[string]bool{"index.html": true}
	index := get(t, con, "/").Body.String()
	for _, name := range regexp.MustCompile(`"assets/([^"]+)"`).FindAllStringSubmatch(index, -1) {
		used[name[1]] = true
		assert.Equal(t, http.StatusOK, get(t, con, "/assets/"+name[1]).Code, name[1])
	}
	for _, entry := range entries {
		w := get(t, con, "/assets/"+entry.Name())
		require.Equal(t, http.StatusOK, w.Code, entry.Name())
		assert.NotEmpty(t, w.Header().Get("Content-Type"), entry.Name())
		text := w.Body.String()
		assert.Contains(t, text[:min(len(text), 200)], "Copyright The Waybill Authors", entry.Name())
		for _, name := range references.FindAllStringSubmatch(text, -1) {
			used[name[1]] = true
			assert.Equal(t, http.StatusOK, get(t, con, "/assets/"+name[1]).Code, "%s needs %s", entry.Name(), name[1])
		}
	}
	for _, entry := range entries {
		assert.True(t, used[entry.Name()], "nothing needs %s", entry.Name())
	}
}

// What would be refused by the policy of the page, or read HTML, or ask elsewhere, is not in
// its files.
func TestTheFilesKeepToThePolicy(t *testing.T) {
	entries, err := os.ReadDir("assets")
	require.NoError(t, err)
	for _, entry := range entries {
		content, err := os.ReadFile("assets/" + entry.Name())
		require.NoError(t, err)
		text := strings.ReplaceAll(string(content), "http://www.w3.org/2000/svg", "") // the name of a namespace
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http://", "https://", "url(//"} {
			assert.NotContains(t, text, bad, entry.Name())
		}
		if strings.HasSuffix(entry.Name(), ".html") {
			assert.NotRegexp(t, `\s(style|on\w+)=|<style|<script[^>]*>[^<]`, text, entry.Name())
		}
	}
}
