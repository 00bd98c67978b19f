// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-go/waybill/examples/guild/internal/guilds"
	"github.com/waybill-go/waybill/propagate"
)

// Config is what a run is asked to do.
type Config struct {
	Addr     string
	Names    []string // that people visit it by, besides the one in Addr
	Ops      string
	Guilds   int
	Sessions int
	Nodes    int           // processes for the sessions; 0 for this one
	NATS     string        // URL of a server; empty for one of our own
	Slow     int           // of the sessions
	SlowFor  time.Duration // which a slow session takes for a message
	Posts    int
	Sample   float64 // unless SampleEnv
	// SampleEnv leaves the choice to OTEL_TRACES_SAMPLER, which is set where
	// -sample is not.
	SampleEnv bool
	Browser   propagate.Policy // for the traces that browsers bring
	Once      bool
	Idle      time.Duration // after which a guild goes to sleep
	Faults    bool
	DB        string // file of the posts; empty for a temporary one
	Keep      int64  // posts of each guild
	Report    string
}

// Bounds of what a run may be asked to do.
const (
	defaultAddr = "127.0.0.1:8080"
	maxGuilds   = 10_000
	maxSessions = 2_000_000

	maxNodes       = 16
	maxNodesGuilds = 200 // with several nodes, which tell each other of each guild all the time
)

// usage is printed above the flags.
const usage = `Runs a small chat: an HTTP API, a guild service and a session service, each with
its own telemetry. It connects sessions, sends posts, shows one of their traces,
and then serves a page to chat on until it is interrupted. All of that is in one
process, unless -nodes spreads the sessions over others.

Flags:
`

// parse reads the command line. On -h it returns [flag.ErrHelp] after printing
// the help to out; any other error is one line about what is wrong.
func parse(args []string, out io.Writer) (Config, error) {
	var c Config
	flags := flag.NewFlagSet("guild", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.IntVar(&c.Sessions, "sessions", 1000, "connect `N` sessions, some by real WebSocket connections")
	flags.IntVar(&c.Slow, "slow", 5, "make `N` of the sessions slow")
	flags.DurationVar(&c.SlowFor, "slow-for", 20*time.Millisecond, "a slow session takes this `DURATION` for each message")
	flags.IntVar(&c.Posts, "posts", 20, "send `N` posts through the HTTP API")
	flags.IntVar(&c.Guilds, "guilds", 1, "run `N` guilds; sessions and posts are spread over them")
	flags.IntVar(&c.Nodes, "nodes", 0, "run the simulated sessions in `N` processes of their own, session nodes, which this\n"+
		"one starts and talks to over NATS (default in this one)")
	flags.StringVar(&c.NATS, "nats", "", "with -nodes, talk over the server of NATS at `URL` (default one inside this process)")
	flags.DurationVar(&c.Idle, "idle", time.Minute, "put a guild to sleep that has had nothing to do for this `DURATION`")
	flags.BoolVar(&c.Faults, "faults", false, "let a post with the content "+guilds.Fault+" make its guild's process panic, once")
	flags.Float64Var(&c.Sample, "sample", 1, "share of posts that start a trace, a `RATIO` from 0 to 1; without it,\n"+
		"OTEL_TRACES_SAMPLER decides if it is set")
	flags.StringVar(&c.Addr, "addr", "", "serve the API and the page on `HOST:PORT`, port 0 for any free one\n"+
		"(default "+defaultAddr+"; any free port with -once)")
	flags.Func("names", "answer to these host `NAMES` as well, separated by commas; addresses and\n"+
		"the host of -addr need no name", func(s string) error {
		c.Names = strings.Split(s, ",")
		return nil
	})
	flags.StringVar(&c.DB, "db", "", "keep the posts in `FILE`, an SQLite database, and go on with those that it has\n"+
		"(default a temporary one)")
	flags.Int64Var(&c.Keep, "keep", 10_000, "keep the latest `N` posts of each guild")
	flags.StringVar(&c.Ops, "ops", "127.0.0.1:0", "serve what is for operators on `HOST:PORT`, port 0 for any free one: /console/,\n"+
		"/trouble, /tracing, /metrics, /exports, /guilds and /nodes. It asks nobody who\n"+
		"they are, so choose an address that no stranger reaches")
	policy := flags.String("browser", "", "ignore, link to or continue the traces that browsers begin, a `POLICY` of ignore,\n"+
		"link and continue (default continue if only this machine reaches -addr and\n"+
		"there are no -names, else link)")
	flags.BoolVar(&c.Once, "once", false, "exit after the run instead of serving on")
	flags.StringVar(&c.Report, "report", "", "write all spans as JSON to `FILE` after the run and at exit")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, usage)
		flags.SetOutput(out)
		flags.PrintDefaults()
		return c, flag.ErrHelp
	} else if err != nil {
		return c, err
	}
	c.Addr = defaultedAddr(c)
	var err error
	if c.Browser, err = c.browserPolicy(*policy); err != nil {
		return c, err
	}
	c.SampleEnv = os.Getenv("OTEL_TRACES_SAMPLER") != "" && !isSet(flags, "sample")
	return c, c.check(flags.Args())
}

// browserPolicy returns the policy of that name; without one, that for who reaches -addr.
// Who continues a trace lets the browser choose its ID and its sampled flag. That is for
// people who look at their own posts, and not for strangers.
func (c Config) browserPolicy(name string) (propagate.Policy, error) {
	switch name {
	case "ignore":
		return propagate.Ignore, nil
	case "link":
		return propagate.Link, nil
	case "continue":
		return propagate.ContinueIDs, nil // Never weights: see propagate.Continue.
	case "":
	default:
		return 0, fmt.Errorf("-browser %q is not ignore, link or continue", name)
	}
	if c.local() {
		return propagate.ContinueIDs, nil
	}
	return propagate.Link, nil
}

// local reports whether only this machine reaches -addr, as far as we can know: who has a
// name for it may have others come by a proxy.
func (c Config) local() bool {
	host, _, err := net.SplitHostPort(c.Addr)
	ip, parseErr := netip.ParseAddr(host)
	return err == nil && len(c.Names) == 0 && (host == "localhost" || parseErr == nil && ip.IsLoopback())
}

func defaultedAddr(c Config) string {
	switch {
	case c.Addr != "":
		return c.Addr
	case c.Once: // Nobody will visit.
		return "127.0.0.1:0"
	default:
		return defaultAddr
	}
}

// names returns the host names that people may visit the page by.
func (c Config) names() []string { return append(hostOf(c.Addr), c.Names...) }

// hostOf returns the host of HOST:PORT, if it has one.
func hostOf(addr string) []string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		return nil
	}
	return []string{host}
}

// visitable turns an address that is listened on into the host and port of a URL
// to visit it by.
func visitable(addr string) string {
	a, err := netip.ParseAddrPort(addr)
	if err != nil || !a.Addr().IsUnspecified() {
		return strings.ReplaceAll(addr, "%", "%25") // Before the zone of an IPv6 address.
	}
	return net.JoinHostPort("localhost", strconv.Itoa(int(a.Port())))
}

func isSet(flags *flag.FlagSet, name string) (set bool) {
	flags.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

func isHostPort(addr string) bool {
	_, _, err := net.SplitHostPort(addr)
	return err == nil
}

func (c Config) check(rest []string) error {
	switch {
	case !isHostPort(c.Addr):
		return fmt.Errorf("-addr %q is not HOST:PORT", c.Addr)
	case !isHostPort(c.Ops):
		return fmt.Errorf("-ops %q is not HOST:PORT", c.Ops)
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case c.Guilds < 1 || c.Guilds > maxGuilds:
		return fmt.Errorf("-guilds must be from 1 to %d", maxGuilds)
	case c.Sessions < 0 || c.Sessions > maxSessions:
		return fmt.Errorf("-sessions must be from 0 to %d", maxSessions)
	case c.Nodes < 0 || c.Nodes > maxNodes:
		return fmt.Errorf("-nodes must be from 0 to %d", maxNodes)
	case c.Nodes == 0 && c.NATS != "":
		return errors.New("-nats is for -nodes")
	case c.Nodes > 0 && c.Guilds > maxNodesGuilds:
		return fmt.Errorf("with -nodes, -guilds must be from 1 to %d", maxNodesGuilds)
	case c.Idle <= 0:
		return errors.New("-idle must be positive")
	case c.Slow < 0:
		return errors.New("-slow must not be negative")
	case c.SlowFor < 0:
		return errors.New("-slow-for must not be negative")
	case c.Posts < 0:
		return errors.New("-posts must not be negative")
	case c.Keep < 1:
		return errors.New("-keep must be at least 1")
	case !(c.Sample >= 0 && c.Sample <= 1):
		return errors.New("-sample must be from 0 to 1")
	}
	return nil
}
