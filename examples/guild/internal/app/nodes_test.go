// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/waybill-go/waybill/examples/guild/internal/app"
	"github.com/waybill-go/waybill/examples/guild/internal/nodes"
	"github.com/waybill-go/waybill/examples/internal/report"
)

// One trace leads from a post to the sessions of all nodes, which are processes of their own.
func TestOnePostIsTracedToEveryNode(t *testing.T) {
	const sessions, posts = 400, 6
	e := start(t, "-nodes", "2", "-sessions", fmt.Sprint(sessions), "-slow", "0", "-posts", "0")
	// As in TestOnePostIsTracedToEverySession, with a group that shows who follows.
	status, shown := e.tracing(http.MethodPut, `{"groups": {"nobody": {}}}`)
	require.Equal(t, http.StatusOK, status, shown)
	e.until(func() bool { // A session that is slow before then leaves a late span that counts.
		return !slices.ContainsFunc(e.views(), func(v nodes.View) bool { return len(v.Sampling.Groups) == 0 })
	})
	l := e.listen("1") // It comes to the guild node.
	for i := range posts {
		status, a := e.post("1", fmt.Sprintf(`{"author":"ann","content":"number %d"}`, i+1))
		require.Equal(t, http.StatusCreated, status, a.Error)
		assert.EqualValues(t, sessions+1, a.Recipients)
		assert.EqualValues(t, sessions+1, a.Delivered)
		assert.EqualValues(t, i+1, l.next().Seq)
	}
	e.eventually(func(sum nodes.State) bool { return sum.Sessions.Delivered == posts*(sessions-10) })
	l.close()
	r := e.finish()
	assert.EqualValues(t, posts*(sessions+1), r.Summary.Delivered)
	assert.NotContains(t, e.stderr.String(), "node=", "no session node has anything to complain of")
	require.Len(t, r.Traces, posts)
	for _, trace := range r.Traces {
		checkNodes(t, trace, sessions+1)
	}
}

// What operators change of the tracing holds on session nodes too, a little later.
func TestSessionNodesFollowTheTracing(t *testing.T) {
	const sessions = 60
	e := start(t, "-nodes", "1", "-sessions", fmt.Sprint(sessions), "-slow", "0", "-posts", "0")
	status, shown := e.tracing(http.MethodPut, `{"default_group":{"curve":[{"size":1,"probability":1}]}}`)
	require.Equal(t, http.StatusOK, status, shown)
	post := func() {
		status, a := e.post("1", `{"author":"ann","content":"x"}`)
		require.Equal(t, http.StatusCreated, status, a.Error)
	}
	post()
	again := time.NewTicker(time.Second) // Spans have a rate, and come a little later.
	defer again.Stop()
	e.until(func() bool {
		handled := 0
		for _, s := range e.last().Spans {
			if s.Name == "session MessageCreate" {
				handled++
			}
		}
		select {
		case <-again.C:
			post()
		default:
		}
		return handled == sessions
	})
}

// checkNodes checks the trace of one post over two session nodes and the guild node: the tree,
// who made which span, and the weights.
func checkNodes(t *testing.T, trace report.Trace, recipients int) {
	t.Helper()
	tr := newTree(trace)
	at := tr.only(t, "", "POST /guilds/{guild}/messages", "chat-api", "server")
	at = tr.only(t, at, "waybill.examples.guild.v1.Guilds/Publish", "chat-api", "client")
	at = tr.only(t, at, "waybill.examples.guild.v1.Guilds/Publish", "guild", "server")
	at = tr.only(t, at, "call guild Publish", "guild", "internal")
	at = tr.only(t, at, "guild Publish", "guild", "internal")
	at = tr.only(t, at, "broadcast sessions nodes", "guild", "producer")
	broadcast := tr.byID[at]
	assert.EqualValues(t, 3, broadcast.Attributes["waybill.fanout.size"])
	assert.Equal(t, "node-0", broadcast.Instance)

	spans, sum, nodes := 0, 0.0, map[string]bool{}
	for _, relay := range tr.children[at] {
		assert.Equal(t, "sessions relay MessageCreate", relay.Name)
		below := tr.only(t, relay.SpanID, "broadcast sessions", relay.Service, "producer")
		for _, s := range tr.children[below] {
			assert.Equal(t, "session MessageCreate", s.Name)
			assert.Equal(t, "session", s.Service)
			assert.Equal(t, relay.Instance, s.Instance, "what a relay passes on stays on its node")
			spans++
			nodes[s.Instance] = true
			sum += s.Attributes["waybill.fanout.weight"].(float64)
		}
	}
	assert.Contains(t, []int{10, 11, 9}, spans, "10 of 100 to 10,000 recipients, rounded at random")
	assert.Subset(t, nodes, map[string]bool{"node-1": true, "node-2": true})
	assert.InDelta(t, recipients, sum, 1e-9, "the weights of the whole tree sum to its size")
	for _, s := range trace.Spans {
		if s.ParentID != "" {
			assert.Contains(t, tr.byID, s.ParentID, "the trace is whole")
		}
	}
}

// views returns what there is to see of session nodes.
func (e *example) views() (all []nodes.View) {
	e.t.Helper()
	e.get(e.ops+"/nodes", &all)
	return all
}

// eventually waits until all session nodes together are in the wanted state.
func (e *example) eventually(is func(sum nodes.State) bool) {
	e.t.Helper()
	e.until(func() bool {
		var sum nodes.State
		for _, v := range e.views() {
			sum = sum.Plus(v.State)
		}
		require.Empty(e.t, sum.Failure)
		return is(sum)
	})
}

// A session node that is killed takes its sessions with it, and nothing else. Another takes its
// place.
func TestAKilledSessionNode(t *testing.T) {
	const sessions, here = 210, 10
	e := start(t, "-nodes", "2", "-sessions", fmt.Sprint(sessions), "-slow", "0", "-posts", "3")
	e.eventually(func(sum nodes.State) bool { return sum.Sessions.Delivered == 3*(sessions-here) })
	killed := e.views()[1]
	process, err := os.FindProcess(killed.PID)
	require.NoError(t, err)
	require.NoError(t, process.Kill())
	e.says("session node 2 ended (signal: killed), and its 100 sessions with it; it is started again")
	status, a := e.post("1", `{"author":"ann","content":"while one is away"}`)
	require.Equal(t, http.StatusCreated, status, a.Error)
	e.says("session node 2 is back")
	e.eventually(func(sum nodes.State) bool { return sum.Joined == sessions-here+100 })
	e.until(func() bool { return e.view("1").Here == sessions }) // It has forgotten those that are gone.
	status, a = e.post("1", `{"author":"ann","content":"now"}`)
	require.Equal(t, http.StatusCreated, status, a.Error)
	assert.EqualValues(t, sessions, a.Recipients)
	posted := e.view("1").Last
	e.eventually(func(sum nodes.State) bool {
		reached := 0
		for _, v := range e.views() {
			for _, r := range v.Reached {
				if r.All == posted {
					reached++
				}
			}
		}
		return reached == 2
	})
	views := e.views()
	assert.Equal(t, 1, views[0].Starts)
	assert.Equal(t, 100*posted, views[0].Sessions.Delivered, "each of the other node's sessions has each post")
	assert.Equal(t, 2, views[1].Starts)
	r := e.finish()
	assert.Equal(t, posted, r.Summary.Posts)
}

// says waits until the program prints a line that begins so.
func (e *example) says(begin string) {
	e.t.Helper()
	late := time.After(patience)
	for {
		select {
		case line := <-e.said:
			if strings.HasPrefix(line, begin) {
				return
			}
		case <-late:
			require.Fail(e.t, "it does not say: "+begin)
		}
	}
}

// When the guild node is killed, the session nodes end. They find each other over a server of
// NATS that outlives them.
func TestAKilledGuildNode(t *testing.T) {
	nats, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	require.NoError(t, err)
	nats.Start()
	defer func() { nats.Shutdown(); nats.WaitForShutdown() }()
	require.True(t, nats.ReadyForConnections(patience))

	program := exec.Command(os.Args[0], "-addr", "127.0.0.1:0", "-nodes", "2", "-nats", nats.ClientURL(), "-sessions", "30", "-posts", "1")
	program.Env = append(os.Environ(), asProgram+"=1")
	var errOut bytes.Buffer
	program.Stderr = &errOut
	stdout, err := program.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, program.Start())
	invited := false
	for lines := bufio.NewScanner(stdout); !invited && lines.Scan(); {
		invited = strings.HasPrefix(lines.Text(), "interrupt to stop")
	}
	assert.True(t, invited)
	assert.Equal(t, 3, nats.NumClients())
	require.NoError(t, program.Process.Kill())
	_ = program.Wait()
	assert.Eventually(t, func() bool { return nats.NumClients() == 0 }, patience, 10*time.Millisecond)
	assert.NotContains(t, errOut.String(), "level=ERROR")
}

// What cannot be is said in one line.
func TestNodesThatCannotBe(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"too many":       {[]string{"-nodes", "17"}, "-nodes must be from 0 to 16"},
		"too few":        {[]string{"-nodes", "-1"}, "-nodes must be from 0 to 16"},
		"no nodes":       {[]string{"-nats", "nats://127.0.0.1:1"}, "-nats is for -nodes"},
		"many guilds":    {[]string{"-nodes", "2", "-guilds", "201"}, "with -nodes, -guilds must be from 1 to 200"},
		"nobody's":       {[]string{"-nodes", "2", "-nats", "nats://me:secret@127.0.0.1:1"}, "cannot reach NATS at nats://me:xxxxx@127.0.0.1:1"},
		"not an address": {[]string{"-nodes", "2", "-nats", "::"}, "cannot reach NATS"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			assert.Equal(t, 2, app.Main(t.Context(), append(test.args, "-addr", "127.0.0.1:0", "-once"), &out, &errOut))
			assert.Contains(t, errOut.String(), test.want)
			assert.Equal(t, 1, strings.Count(errOut.String(), "\n"), errOut.String())
		})
	}
}

// One process starts no other, and does not listen for any.
func TestOneNodeHasNoNATS(t *testing.T) {
	e := start(t, "-sessions", "20", "-posts", "1")
	assert.NotContains(t, e.stdout.String(), "node")
	resp, err := http.Get("http://" + e.ops + "/nodes")
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, http.StatusNotFound, resp.StatusCode)
	for _, trace := range e.finish().Traces {
		for _, s := range trace.Spans {
			assert.Empty(t, s.Instance)
		}
	}
}
