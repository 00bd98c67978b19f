// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package children_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/examples/guild/internal/children"
)

// role says what this program is when a test has started it.
const role = "CHILDREN_TEST_ROLE"

func TestMain(m *testing.M) {
	if is := os.Getenv(role); is != "" {
		os.Exit(play(is))
	}
	goleak.VerifyTestMain(m)
}

func play(is string) int {
	switch is {
	case "parent": // Which is killed some time.
		_, err := children.Start(context.Background(), config("good", 2, os.Stderr, func(cmd *exec.Cmd) {
			cmd.ExtraFiles = []*os.File{os.NewFile(3, "alive")}
		}))
		if err != nil || children.Ready(os.Stdout) != nil {
			return 1
		}
		time.Sleep(patience)
		return 1
	case "failing":
		fmt.Fprintln(os.Stderr, "no such luck")
		return 7
	}
	setup, ctx, err := children.Attend(context.Background(), os.Stdin)
	if err != nil {
		return 1
	}
	fmt.Fprintf(os.Stderr, "setup %s", setup)
	if err = children.Ready(os.Stdout); err != nil {
		return 1
	}
	if is == "deaf" {
		time.Sleep(patience)
	}
	<-ctx.Done()
	fmt.Fprintln(os.Stderr, context.Cause(ctx))
	return 0
}

// patience bounds every wait of these tests; none is expected to take it.
const patience = time.Minute

// config is that of children who are all the same.
func config(is string, count int, log io.Writer, prepare func(*exec.Cmd)) children.Config {
	return children.Config{
		Count: count,
		Command: func(int) *exec.Cmd {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), role+"="+is)
			if prepare != nil {
				prepare(cmd)
			}
			return cmd
		},
		Setup: func(n int) ([]byte, error) { return fmt.Appendf(nil, "%d of %d", n, count), nil },
		Begun: func(int, int) {},
		Ended: func(int, error) {},
		Log:   log,
	}
}

// lines is a log that many write to.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}
