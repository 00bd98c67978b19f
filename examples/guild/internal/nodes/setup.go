// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/waybill-go/waybill/examples/guild/internal/telemetry"
	"github.com/waybill-go/waybill/sampling"
)

// Command is the argument with which the program is a session node. It is for [Fleet] alone.
const Command = "session-node"

// setup is what a session node is told when it begins.
type setup struct {
	Number    int                 `json:"number"` // from 1
	Link      Link                `json:"link"`
	Collector telemetry.Collector `json:"collector"` // where its spans go
	Guilds    int                 `json:"guilds"`
	Sampling  sampling.Config     `json:"sampling"`
}

func readSetup(line []byte) (s setup, err error) {
	if err = json.Unmarshal(line, &s); err != nil {
		return s, fmt.Errorf("read what the guild node says: %w", err)
	}
	return s, nil
}

// sessionNodeKind is the kind of process that answers for a session node.
const sessionNodeKind = "session-node"

// controlName is where a session node is told what to do.
func controlName(number int) string { return sessionNodeKind + "." + strconv.Itoa(number) }

// Name returns the name of a node, which is the guild node if its number is 0.
func Name(number int) string { return "node-" + strconv.Itoa(number) }

// Resource returns what a node's spans say of the node.
func Resource(number int) []attribute.KeyValue {
	about := []attribute.KeyValue{semconv.ServiceInstanceID(Name(number)), semconv.ProcessPID(os.Getpid())}
	if host, err := os.Hostname(); err == nil { // So that clocks are known to be the same.
		about = append(about, semconv.HostName(host))
	}
	return about
}
