// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package failuretest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// programEnv says to the test binary that it is a program of a test, and which one.
const programEnv = "WAYBILL_FAILURETEST_PROGRAM"

// setup is what a program is told at its start.
type setup struct {
	Role     string // One of the roles.
	Name     string // The node's ID.
	URL      string // Of NATS.
	Port     int    `json:",omitzero"` // Of NATS, if the program is the server.
	Dir      string `json:",omitzero"`
	Members  int    `json:",omitzero"`
	First    int64  `json:",omitzero"` // What the numbers of messages begin after.
	Interval time.Duration
}

// report is what a program says. Each is a line of its standard output, which outlives it: what
// it has said before it was killed is known.
type report struct {
	What   string
	Node   string `json:",omitzero"`
	Member string `json:",omitzero"`
	Seq    int64  `json:",omitzero"`
	N      int64  `json:",omitzero"`
	Token  uint64 `json:",omitzero"`
	Text   string `json:",omitzero"`
}

// program is a process of the operating system that a test runs.
type program struct {
	t      *testing.T
	name   string
	setup  setup
	cmd    *exec.Cmd
	in     io.WriteCloser
	stderr bytes.Buffer
	read   sync.WaitGroup
	ended  bool

	mu    sync.Mutex
	heard map[string]chan report
	hear  func(report) bool // Whether it has dealt with the report.
}

// maxHeard bounds how many reports of a kind wait for the test.
const maxHeard = 1 << 16

// launch runs the test binary as a program, until the test ends or it is ended before. hear gets
// the reports in their order, until it returns false; it may be nil.
func launch(t *testing.T, s setup, hear func(report) bool) *program {
	t.Helper()
	text, err := json.Marshal(s)
	require.NoError(t, err)
	file, err := os.Executable()
	require.NoError(t, err)
	p := &program{t: t, name: s.Name, setup: s, heard: map[string]chan report{}, hear: hear}
	p.cmd = exec.Command(file)
	p.cmd.Env = append(os.Environ(), programEnv+"="+string(text))
	p.cmd.Stderr = &p.stderr
	p.in, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	p.read.Go(func() { p.listen(out) })
	t.Cleanup(p.kill)
	p.await("ready")
	return p
}

// listen takes the reports of the program until it has ended.
func (p *program) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var r report
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			continue // It was killed while it wrote this.
		}
		if p.hear != nil && p.hear(r) {
			continue
		}
		select {
		case p.reports(r.What) <- r:
		default:
		}
	}
}

func (p *program) reports(what string) chan report {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.heard[what] == nil {
		p.heard[what] = make(chan report, maxHeard)
	}
	return p.heard[what]
}

// await returns the next report of a kind.
func (p *program) await(what string) report {
	p.t.Helper()
	select {
	case r := <-p.reports(what):
		return r
	case <-time.After(patience):
		p.kill()
		require.FailNow(p.t, p.name+" does not report "+what, "%s", p.stderr.String())
		return report{}
	}
}

// tell gives the program a command.
func (p *program) tell(command string) {
	p.t.Helper()
	_, err := io.WriteString(p.in, command+"\n")
	require.NoError(p.t, err)
}

// ask gives the program a command, and returns its answer, which is a report of that name.
func (p *program) ask(command string) report {
	p.t.Helper()
	p.tell(command)
	return p.await(command)
}

// signal sends it a signal.
func (p *program) signal(s syscall.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(s))
}

// kill ends the program as kill -9 does, and returns when it has ended and all that it said has
// been heard. It does nothing if the program has ended.
func (p *program) kill() {
	if p.ended {
		return
	}
	p.ended = true
	_ = p.cmd.Process.Kill()
	p.read.Wait()
	_ = p.cmd.Wait() // It was killed.
}

// finish has the program end by itself, in time and without an error.
func (p *program) finish() {
	p.t.Helper()
	p.ended = true
	overdue := time.AfterFunc(2*patience, func() { _ = p.cmd.Process.Signal(syscall.SIGQUIT) })
	defer overdue.Stop()
	_ = p.in.Close()
	p.read.Wait()
	assert.NoError(p.t, p.cmd.Wait(), "%s: %s", p.name, p.stderr.String())
}

// inside is a program, seen from inside.
type inside struct {
	setup
	commands <-chan string // Closed when the program is to end.

	mu  sync.Mutex
	out io.Writer
}

// errUnknown is returned for a command or a role that there is not.
var errUnknown = errors.New("unknown")

// runProgram is what the test binary does as a program. It ends when its standard input ends, so
// that none is left when the test has been killed.
func runProgram(text string) error {
	p := &inside{out: os.Stdout}
	if err := json.Unmarshal([]byte(text), &p.setup); err != nil {
		return err
	}
	commands := make(chan string)
	p.commands = commands
	go func() {
		defer close(commands)
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			commands <- lines.Text()
		}
	}()
	run, known := roles[p.Role]
	if !known {
		return fmt.Errorf("%w: %s", errUnknown, p.Role)
	}
	return run(context.Background(), p)
}

// say reports something to the test.
func (p *inside) say(r report) {
	r.Node = p.Name
	line, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.out.Write(append(line, '\n')) // The test may have gone.
}

// serve says that the program is ready, and carries out commands until it is to end.
func (p *inside) serve(commands map[string]func() report) error {
	p.say(report{What: "ready"})
	for command := range p.commands {
		do, known := commands[command]
		if !known {
			return fmt.Errorf("%w: %s", errUnknown, command)
		}
		r := do()
		r.What = command
		p.say(r)
	}
	return nil
}
