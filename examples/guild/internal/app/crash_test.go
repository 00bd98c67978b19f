// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/guilds"
	"github.com/waybill-go/waybill/examples/guild/internal/store"
)

// program is the built program, running as a process of its own.
type program struct {
	addr   string
	cmd    *exec.Cmd
	output sync.WaitGroup
}

// build builds the program and returns its file.
func build(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "guild")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", file, "../..").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return file
}

// launch starts it and returns when it serves.
func launch(ctx context.Context, t *testing.T, file string, args ...string) *program {
	t.Helper()
	p := &program{cmd: exec.CommandContext(ctx, file, append([]string{"-addr", "127.0.0.1:0", "-posts", "0"}, args...)...)}
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	var errOut strings.Builder
	p.cmd.Stderr = &errOut
	require.NoError(t, p.cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "interrupt to stop") {
		if m := regexp.MustCompile(`chat API +http://(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			p.addr = m[1]
		}
	}
	require.NotEmpty(t, p.addr, "%s", errOut.String())
	p.output.Go(func() { _, _ = io.Copy(io.Discard, out) })
	return p
}

// kill ends it as kill -9 does.
func (p *program) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Kill())
	p.output.Wait()
	_ = p.cmd.Wait() // It was killed.
}

// posters post for as long as the program answers, and keep what it said. One post of
// each start makes the guild panic.
type posters struct {
	mu     sync.Mutex
	stored map[int64]string // contents of the posts that are stored, by number
	last   int64
	all    sync.WaitGroup
}

func (p *posters) start(t *testing.T, n int, addr, about string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	for i := range n {
		p.all.Go(func() {
			defer client.CloseIdleConnections()
			for j := 0; ; j++ {
				content := fmt.Sprintf("%s, poster %d, post %d", about, i, j)
				if i == 0 && j == 3 {
					content = guilds.Fault
				}
				body := strings.NewReader(fmt.Sprintf(`{"content":%q}`, content))
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/guilds/1/messages", body)
				assert.NoError(t, err)
				resp, err := client.Do(req)
				if err != nil {
					return
				}
				var post struct{ Seq int64 }
				err = json.NewDecoder(resp.Body).Decode(&post)
				_ = resp.Body.Close()
				if err != nil {
					return
				}
				p.note(post.Seq, content)
			}
		})
	}
}

func (p *posters) note(seq int64, content string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stored[seq] = content
	p.last = max(p.last, seq)
}

func (p *posters) known() (last int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// However often the program is killed, and in the middle of what, with a guild that
// sleeps whenever it can, and panics now and then, every client gets
// every post that was stored, once and in order, and every post whose poster was
// told so is stored.
func TestNothingStoredIsLostByKilling(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and starts it several times")
	}
	const minKills, maxKills, posts = 3, 40, 40
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
	defer cancel()
	file, db := build(t), filepath.Join(t.TempDir(), "posts.db")
	args := []string{"-db", db, "-sessions", "200", "-slow", "0", "-idle", "1ms", "-faults"}
	p := launch(ctx, t, file, args...)
	clients := newFollowers(t, p.addr)
	for range 4 {
		clients.add(nil)
	}
	told := posters{stored: map[int64]string{}}
	// Until it has been killed between the storing of a post and the answer.
	for kills, between := 0, 0; kills < minKills || between == 0; kills++ {
		require.Less(t, kills, maxKills, "never between storing and delivering")
		begun := told.known()
		told.start(t, 4, p.addr, fmt.Sprint("start ", kills))
		for told.known() < begun+posts {
			clients.contents(told.known() + 1) // It may be anywhere after that.
		}
		p.kill(t)
		told.all.Wait()
		if mark := markOf(t, db); mark.Last > told.known() {
			between++
		}
		p = launch(ctx, t, file, args...)
		clients.addr.Store(&p.addr)
	}

	all := latest(t, p.addr)
	for _, contents := range clients.contents(all) {
		for seq, content := range told.stored {
			require.LessOrEqual(t, seq, all)
			assert.Equal(t, content, contents[seq-1])
		}
	}
	clients.stop()
	clients.running.Wait()
	p.kill(t)
}

// markOf reads how far the guild has come in the file of a program that was killed.
func markOf(t *testing.T, file string) store.Mark {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{File: file, Guilds: 1, Keep: 10_000})
	require.NoError(t, err)
	mark, err := s.Mark(t.Context(), 1)
	require.NoError(t, err)
	require.NoError(t, s.Close(t.Context()))
	return mark
}

// latest asks the running program for the number of the latest post.
func latest(t *testing.T, addr string) int64 {
	t.Helper()
	resp, err := http.Get("http://" + addr + "/guilds/1/messages")
	require.NoError(t, err)
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	var posts []store.Post
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&posts))
	return posts[len(posts)-1].Seq
}
