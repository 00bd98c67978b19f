// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"weak"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/waybill-go/waybill/internal/traces"
	"github.com/waybill-go/waybill/mailbox/timings"
	"github.com/waybill-go/waybill/sampling"
)

// Config says what a console shows. The zero value shows traces, and the metrics of the
// meter providers that have a reader of the console.
type Config struct {
	// Title is the name of the program in the heading and in the titles of the pages. It
	// tells the consoles of several programs apart.
	Title string

	// Bytes is about how much memory the traces take that are kept; 16 MiB if it is zero,
	// and 1 MiB at least.
	Bytes int

	// NoTraces is what the page says while there are no traces. By default it says how
	// spans get here from the SDK of this program.
	NoTraces string

	// TracesOnly is for programs that show the spans of other programs. It leaves out what
	// nothing can come for: the page of processes, and how metrics, timings and a
	// configuration would be given to the console.
	TracesOnly bool

	// Control is the configuration of sampling that is shown.
	Control *sampling.Control

	// AllowChanges lets whoever reaches the console change the configuration of Control.
	// Each change is logged.
	AllowChanges bool

	// Timings are what the processes did with their minutes.
	Timings *timings.Store

	// Links lead to other pages, such as those of the service itself.
	Links []Link

	// Logger gets a line for each change of the configuration. Nil means slog.Default(),
	// as it is at that time.
	Logger *slog.Logger
}

// Link is a link in the navigation of the console.
type Link struct {
	Text string `json:"text"`

	// URL is absolute, with http or https, or relative to where the console is mounted.
	URL string `json:"url"`
}

// Console keeps the last traces of a program, and shows them and whatever its [Config] has.
// It is a span processor of one or more tracer providers, and an [http.Handler]. All methods
// may be called by any number of goroutines.
type Console struct {
	config  Config
	routes  *http.ServeMux
	metrics shared[metricsAnswer]
	minutes sharedMinutes

	traces   *traces.Store
	streams  *streams
	changing sync.Mutex // held while the configuration is changed

	mu             sync.Mutex
	readers        []*sdkmetric.ManualReader // Those that were given out, without those that were shut down.
	readerShutDown bool                      // One was shut down.
}

var _ http.Handler = (*Console)(nil)

// New makes a console. It panics if a link is neither relative nor of http or https.
func New(config Config) *Console {
	for _, link := range config.Links {
		if to, err := url.Parse(link.URL); err != nil || to.Scheme != "" && to.Scheme != "http" && to.Scheme != "https" {
			panic(fmt.Sprintf("console: a link to %q", link.URL))
		}
	}
	config.Links = slices.Clone(config.Links)
	c := &Console{
		config:  config,
		traces:  traces.New(traces.Config{Bytes: config.Bytes}),
		streams: &streams{open: map[*stream]struct{}{}, servers: map[weak.Pointer[http.Server]]bool{}},
	}
	c.routes = c.newRoutes()
	return c
}

func (c *Console) logger() *slog.Logger {
	if c.config.Logger != nil {
		return c.config.Logger
	}
	return slog.Default()
}
