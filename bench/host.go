// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// host describes the machine and the version that the figures belong to.
type host struct {
	goVersion, cpu, commit string
	procs                  int
}

func thisHost() host {
	return host{goVersion: runtime.Version(), cpu: cpuModel(), commit: commit(), procs: runtime.GOMAXPROCS(0)}
}

// cpuModel returns the processor's name, if the system tells it.
func cpuModel() string {
	if runtime.GOOS == "darwin" {
		if name := output("sysctl", "-n", "machdep.cpu.brand_string"); name != "" {
			return name
		}
	}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if name := cpuName(string(info)); name != "" {
			return name
		}
	}
	return "unknown " + runtime.GOARCH
}

// cpuName finds the processor's name in the text of /proc/cpuinfo.
func cpuName(info string) string {
	for line := range strings.Lines(info) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// commit returns the commit of the working directory.
func commit() string {
	id := output("git", "rev-parse", "--short", "HEAD")
	if id == "" {
		return "unknown"
	}
	if output("git", "status", "--porcelain", "--untracked-files=no") != "" {
		id += "-dirty"
	}
	return id
}

// output returns what a command prints, empty if it fails or hangs.
func output(name string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
