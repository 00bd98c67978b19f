// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command footprint checks what importing the library costs its users. It makes
// a fresh module that imports every library package of a checkout, lets the go
// command tidy it, and fails if the module then requires, or compiles, anything
// but the library, the OpenTelemetry API and what that API needs.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const library = "github.com/waybill-go/waybill"

// allowed says why a module may be in the footprint.
var allowed = map[string]string{
	library:                           "the library",
	"go.opentelemetry.io/otel":        "OpenTelemetry API",
	"go.opentelemetry.io/otel/log":    "OpenTelemetry API",
	"go.opentelemetry.io/otel/trace":  "OpenTelemetry API",
	"go.opentelemetry.io/otel/metric": "OpenTelemetry API",
	"go.opentelemetry.io/auto/sdk":    "needed by the API",
	"github.com/go-logr/logr":         "needed by the API",
	"github.com/go-logr/stdr":         "needed by the API",
	"github.com/cespare/xxhash/v2":    "needed by the API",
}

// core lists packages that must be among the packages found. Otherwise the check could
// pass because it found nothing.
var core = []string{
	library + "/envelope",
	library + "/envelope/wire",
	library + "/mailbox",
	library + "/propagate",
	library + "/sampling",
	library + "/sampling/fanout",
}

// pluggedIn are the packages that plug into the SDK, for programs that have it anyway.
var pluggedIn = []string{library + "/sampling/sampler", library + "/mailbox/console"}

// module is a fresh module that imports the library.
type module struct{ dir string }

func main() {
	checkout := flag.String("checkout", ".", "the `directory` of the library's root module")
	flag.Parse()
	if err := run(*checkout); err != nil {
		fmt.Fprintln(os.Stderr, "footprint:", err)
		os.Exit(1)
	}
}

func run(checkout string) error {
	checkout, err := filepath.Abs(checkout)
	if err != nil {
		return err
	}
	packages, err := libraryPackages(checkout)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "footprint")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // Left for the system to clean up.
	m := module{dir}
	if err := m.create(checkout, packages); err != nil {
		return err
	}
	return m.check(packages)
}

// libraryPackages lists the packages of the checkout that applications import. Package
// sampler is not among them, because it wraps a sampler of the SDK and so needs the
// SDK.
func libraryPackages(checkout string) ([]string, error) {
	out, err := command(checkout, "list", "-f", "{{if .GoFiles}}{{.ImportPath}}{{end}}", "./...")
	if err != nil {
		return nil, err
	}
	packages := slices.DeleteFunc(strings.Fields(out), func(p string) bool {
		return strings.Contains(p, "/internal/") || slices.Contains(pluggedIn, p)
	})
	for _, p := range core {
		if !slices.Contains(packages, p) {
			return nil, fmt.Errorf("no package %s in %s", p, checkout)
		}
	}
	return packages, nil
}

// create writes the module's files and tidies it.
func (m module) create(checkout string, packages []string) error {
	if _, err := command(m.dir, "mod", "init", "example.com/footprint"); err != nil {
		return err
	}
	if _, err := command(m.dir, "mod", "edit", "-replace", library+"="+checkout); err != nil {
		return err
	}
	var source strings.Builder
	source.WriteString("package main\n\nimport (\n")
	for _, p := range packages {
		fmt.Fprintf(&source, "\t_ %q\n", p)
	}
	source.WriteString(")\n\nfunc main() {}\n")
	if err := os.WriteFile(filepath.Join(m.dir, "main.go"), []byte(source.String()), 0o600); err != nil {
		return err
	}
	_, err := command(m.dir, "mod", "tidy")
	return err
}

// check prints what the module requires and compiles, and returns an error that
// names everything that should not be there.
func (m module) check(packages []string) error {
	required, err := m.required()
	if err != nil {
		return err
	}
	compiled, err := m.compiled()
	if err != nil {
		return err
	}

	fmt.Println("footprint: a module that imports")
	for _, p := range packages {
		fmt.Printf("  %s\n", p)
	}
	fmt.Println("requires, and compiles this many packages of, besides the standard library")
	var faults []error
	for _, path := range union(required, compiled) {
		reason := allowed[path]
		if reason == "" {
			reason = "NOT ALLOWED"
			faults = append(faults, fmt.Errorf("%s must not be in the footprint; it comes in by:\n%s", path, m.why(path)))
		}
		fmt.Printf("  %-34s %-10s %3d  %s\n", path, required[path], compiled[path], reason)
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	fmt.Println("footprint: nothing but the library, the OpenTelemetry API and what it needs")
	return nil
}

// required returns the version of each module in the require lines of go.mod.
func (m module) required() (map[string]string, error) {
	out, err := command(m.dir, "mod", "edit", "-json")
	if err != nil {
		return nil, err
	}
	var file struct {
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal([]byte(out), &file); err != nil {
		return nil, fmt.Errorf("go mod edit -json: %w", err)
	}
	versions := make(map[string]string)
	for _, r := range file.Require {
		versions[r.Path] = r.Version
		if r.Path == library {
			versions[r.Path] = "(checkout)"
		}
	}
	return versions, nil
}

// compiled returns how many packages of each module the build compiles.
func (m module) compiled() (map[string]int, error) {
	out, err := command(m.dir, "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", ".")
	if err != nil {
		return nil, err
	}
	count := make(map[string]int)
	for path := range strings.FieldsSeq(out) {
		count[path]++
	}
	return count, nil
}

// why returns the shortest chain of imports that leads to the module at path.
func (m module) why(path string) string {
	out, err := command(m.dir, "mod", "why", "-m", path)
	if err != nil {
		return err.Error()
	}
	return out
}

// command runs the go command in dir, outside of any workspace, and returns its
// standard output.
func command(dir string, args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return string(out), nil
}

// union returns the sorted paths that are in either map.
func union(a map[string]string, b map[string]int) []string {
	paths := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(paths)
	return slices.Compact(paths)
}
