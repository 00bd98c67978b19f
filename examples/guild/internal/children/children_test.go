// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package children_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/children"
)

func TestChildrenKnowWhatTheyNeedAndEndWhenTold(t *testing.T) {
	log := new(lines)
	begun := make(chan int, 3)
	c := config("good", 3, log, nil)
	c.Begun = func(n, pid int) {
		assert.Positive(t, pid)
		begun <- n
	}
	all, err := children.Start(t.Context(), c)
	require.NoError(t, err)
	var numbers []int
	for range 3 {
		numbers = append(numbers, <-begun)
	}
	assert.ElementsMatch(t, []int{1, 2, 3}, numbers)
	all.Close(t.Context())
	for _, setup := range []string{"setup 1 of 3\n", "setup 2 of 3\n", "setup 3 of 3\n"} {
		assert.Equal(t, 1, log.count(setup), setup)
	}
	assert.Equal(t, 3, log.count(children.ErrGone.Error()), "each ended by itself when it was told to")
}

// The one that is killed is started again, with what it is to know. The others do not notice.
func TestAKilledChildIsStartedAgain(t *testing.T) {
	log := new(lines)
	type child struct{ n, pid int }
	begun, ended := make(chan child, 4), make(chan error, 4)
	c := config("good", 2, log, nil)
	c.Begun = func(n, pid int) { begun <- child{n, pid} }
	c.Ended = func(n int, because error) {
		assert.Equal(t, 2, n)
		ended <- because
	}
	all, err := children.Start(t.Context(), c)
	require.NoError(t, err)
	defer all.Close(t.Context())
	killed := <-begun
	if killed.n != 2 {
		killed = <-begun
	} else {
		<-begun
	}
	process, err := os.FindProcess(killed.pid)
	require.NoError(t, err)
	require.NoError(t, process.Kill())
	assert.ErrorContains(t, <-ended, "killed")
	again := <-begun
	assert.Equal(t, 2, again.n)
	assert.NotEqual(t, killed.pid, again.pid)
	assert.Eventually(t, func() bool { // What they write comes by a pipe of its own.
		return log.count("setup 2 of 2\n") == 2 && log.count("setup 1 of 2\n") == 1
	}, patience, time.Millisecond)
}

func TestChildrenThatCannotBegin(t *testing.T) {
	log := new(lines)
	_, err := children.Start(t.Context(), config("failing", 2, log, nil))
	require.ErrorContains(t, err, "exit status 7")
	assert.Positive(t, log.count("no such luck"))

	c := config("good", 2, log, nil)
	c.Command = func(int) *exec.Cmd { return exec.Command("/no/such/program") }
	_, err = children.Start(t.Context(), c)
	assert.ErrorIs(t, err, os.ErrNotExist)

	c = config("good", 2, log, nil)
	broken := errors.New("broken")
	c.Setup = func(int) ([]byte, error) { return nil, broken }
	_, err = children.Start(t.Context(), c)
	assert.ErrorIs(t, err, broken)
}

// A child that does not end is killed.
func TestDeafChildren(t *testing.T) {
	all, err := children.Start(t.Context(), config("deaf", 1, io.Discard, nil))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	all.Close(ctx)
	assert.Less(t, time.Since(begun), patience/2)
}

// Children end when their parent is killed, which cannot tell them.
func TestAKilledParent(t *testing.T) {
	alive, held, err := os.Pipe() // The children hold its end that is written to.
	require.NoError(t, err)
	defer alive.Close()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), role+"=parent")
	parent.ExtraFiles = []*os.File{held}
	stdout, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	require.NoError(t, held.Close())
	line := make([]byte, len("ready\n"))
	_, err = io.ReadFull(stdout, line)
	require.NoError(t, err)
	require.NoError(t, alive.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err = alive.Read(line)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "the children live")
	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	require.NoError(t, alive.SetReadDeadline(time.Now().Add(patience)))
	_, err = alive.Read(line)
	assert.Equal(t, io.EOF, err, "all children have ended")
}

func TestAttend(t *testing.T) {
	for name, in := range map[string]string{"nothing": "", "no line": "abc", "too long": strings.Repeat("a", 70<<10) + "\n"} {
		_, _, err := children.Attend(t.Context(), strings.NewReader(in))
		assert.Error(t, err, name)
	}
	setup, ctx, err := children.Attend(t.Context(), strings.NewReader("abc\nmore"))
	require.NoError(t, err)
	assert.Equal(t, "abc\n", string(setup))
	<-ctx.Done()
	assert.ErrorIs(t, context.Cause(ctx), children.ErrGone)
}
