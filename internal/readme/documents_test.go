// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package readme_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// documents show blocks of Go code. Each block stands between two comments in one of
// the sources. For the README's block about a channel, these are
//
//	// README: channel
//	// README: end
//
// For other documents, the comments begin with the file name without its extension. The
// comments are indented like the code. The document shows the code without that
// indentation.
var documents = []string{"../../README.md", "../../docs/*.md"}

// sources are compiled and tested.
var sources = []string{
	"*_test.go", "../../examples/patterns/*.go", "../../examples/boundary/*.go", "../../examples/logs/*.go",
	"../../examples/metrics/*.go",
	"../../examples/start/*.go", "../../examples/exec/*.go", "../../propagate/grpcstream/page_test.go",
	"../../mailbox/remote/page_test.go", "../../mailbox/remote/group_page_test.go",
	"../../mailbox/remote/durable/page_test.go", "../../mailbox/remote/placement/page_test.go",
}

// codeBlock matches a block of Go in a document.
var codeBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

func TestSnippetsAreCompiled(t *testing.T) {
	var code strings.Builder
	for _, file := range files(t, sources) {
		code.WriteString(read(t, file))
	}
	for _, document := range files(t, documents) {
		mark := strings.TrimSuffix(filepath.Base(document), ".md")
		compiled := snippets(code.String(), mark)
		shown := map[string]bool{}
		for _, block := range codeBlock.FindAllStringSubmatch(read(t, document), -1) {
			shown[block[1]] = true
			assert.True(t, compiled[block[1]], "%s shows what is not compiled:\n%s", document, block[1])
		}
		for snippet := range compiled {
			assert.True(t, shown[snippet], "%s does not show this:\n%s", document, snippet)
		}
	}
}

// snippets returns the blocks of code that stand between comments with mark.
func snippets(code, mark string) map[string]bool {
	found := map[string]bool{}
	between := regexp.MustCompile(`(?sm)^(\t*)// ` + regexp.QuoteMeta(mark) + `: \S+\n(.*?)^\t*// ` + regexp.QuoteMeta(mark) + `: end$`)
	for _, m := range between.FindAllStringSubmatch(code, -1) {
		indent := regexp.MustCompile("(?m)^" + m[1])
		found[strings.Trim(indent.ReplaceAllString(m[2], ""), "\n")+"\n"] = true
	}
	return found
}

// TestSnippetsAreFound checks snippets with code of every form that they may have.
func TestSnippetsAreFound(t *testing.T) {
	code := `
// one: declaration

type Order struct {
	ID int
}

// one: end

func f() {
		// one: statements
		if true {
			f()

		}
		// one: end
	// two: other
	f()
	// two: end
}
`
	assert.Equal(t, map[string]bool{
		"type Order struct {\n\tID int\n}\n": true,
		"if true {\n\tf()\n\n}\n":            true,
	}, snippets(code, "one"))
	assert.Equal(t, map[string]bool{"f()\n": true}, snippets(code, "two"))
}

var (
	fence   = regexp.MustCompile("(?s)```.*?```")
	link    = regexp.MustCompile(`\]\(([^)#:]*)(#[^)]+)?\)`) // not to other sites
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

func TestLinksLeadSomewhere(t *testing.T) {
	for _, document := range files(t, documents) {
		text := fence.ReplaceAllString(read(t, document), "") // Code has brackets too.
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target := document
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(document), m[1])
			}
			_, err := os.Stat(target)
			assert.NoError(t, err, "in %s", document)
			if m[2] != "" && err == nil {
				assert.Contains(t, anchors(read(t, target)), m[2], "%s has no such heading, as %s says", target, document)
			}
		}
	}
}

// anchors returns what links may point to in a document.
func anchors(document string) []string {
	var all []string
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(document, ""), -1) {
		all = append(all, "#"+strings.ReplaceAll(strings.ToLower(m[1]), " ", "-"))
	}
	return all
}

// files returns the files that match any of the patterns. Each pattern must match a
// file.
func files(t *testing.T, patterns []string) []string {
	t.Helper()
	var all []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, found, pattern)
		all = append(all, found...)
	}
	return all
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(content)
}
