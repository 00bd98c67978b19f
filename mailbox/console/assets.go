// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"sync"
	"time"
)

// files are the page, its scripts and its styles.
//
//go:embed assets
var files embed.FS

// asset is a file in the form in which it is sent.
type asset struct {
	content     []byte
	contentType string
	tag         string // The entity tag: browsers keep a file, and ask whether it is still the same.
}

// assets are all files by name. They are read when they are first asked for.
var assets = sync.OnceValue(func() map[string]asset {
	read := map[string]asset{}
	entries, err := files.ReadDir("assets")
	if err != nil {
		panic(err) // It cannot be: the directory is in the program.
	}
	for _, entry := range entries {
		content, err := files.ReadFile("assets/" + entry.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(content)
		read[entry.Name()] = asset{content, contentType(entry.Name()), `"` + hex.EncodeToString(sum[:12]) + `"`}
	}
	return read
})

// contentType does not ask the machine, whose tables differ.
func contentType(name string) string {
	switch extension := path.Ext(name); extension {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return mime.TypeByExtension(extension)
	}
}

func (c *Console) serveIndex(w http.ResponseWriter, r *http.Request) { serveFile(w, r, "index.html") }

func (c *Console) serveAsset(w http.ResponseWriter, r *http.Request) {
	serveFile(w, r, r.PathValue("name"))
}

func serveFile(w http.ResponseWriter, r *http.Request, name string) {
	file, ok := assets()[name]
	if !ok {
		nothingHere(w, r)
		return
	}
	w.Header().Set("Content-Type", file.contentType)
	w.Header().Set("ETag", file.tag)
	w.Header().Set("Cache-Control", "no-cache") // Kept, and asked for again: a new version of the program shows at once.
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(file.content))
}
