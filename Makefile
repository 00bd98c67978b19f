# Copyright The Waybill Authors
# SPDX-License-Identifier: Apache-2.0

# Continuous integration runs these targets and nothing else: see .ci/run.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The modules of the workspace. The module of pinned tools is not one of them.
MODULES = $(shell go list -m -f '{{.Dir}}')

# How long `make fuzz` spends on each target.
FUZZTIME ?= 3s

# What `make bench` runs, and how.
BENCH ?= .
BENCHFLAGS ?= -benchtime 1x

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: test
test: ## run every test of every module
	go test work

.PHONY: race
race: ## the same under the race detector, and mailbox with 1 and 8 processors
	go test -race -vet=off work
	go test -race -vet=off -short -cpu 1,8 ./mailbox

.PHONY: vet
vet: ## go vet, every module
	go vet work

.PHONY: lint
lint: bin/golangci-lint ## golangci-lint, every module
	@status=0; \
	for dir in $(MODULES); do \
	  echo "golangci-lint: $$dir"; \
	  (cd "$$dir" && "$(CURDIR)/bin/golangci-lint" run --config "$(CURDIR)/.golangci.yml" ./...) || status=1; \
	done; \
	exit $$status

.PHONY: fmt
fmt: bin/golangci-lint ## format every Go file
	@for dir in $(MODULES); do \
	  (cd "$$dir" && "$(CURDIR)/bin/golangci-lint" fmt --config "$(CURDIR)/.golangci.yml" ./...); \
	done

.PHONY: fmt-check
fmt-check: ## fail if gofmt would change a file
	@files=$$(gofmt -l .); \
	if [ -n "$$files" ]; then echo "gofmt would change:"; echo "$$files"; exit 1; fi; \
	echo "gofmt: nothing to change"

.PHONY: tidy
tidy: ## go work sync, and go mod tidy in every module
	go work sync
	@for dir in $(MODULES) tools; do (cd "$$dir" && GOWORK=off go mod tidy); done

.PHONY: tidy-check
tidy-check: ## fail if `make tidy` would change a file
	@.ci/tidy-check

.PHONY: footprint
footprint: ## fail if importing the library costs more than the OTel API
	@go run ./internal/ci/footprint -checkout "$(CURDIR)"

.PHONY: fuzz
fuzz: ## run every fuzz target of every module for FUZZTIME each
	@.ci/fuzz "$(FUZZTIME)"

.PHONY: bench
bench: ## run every benchmark of every module (BENCH, BENCHFLAGS)
	go test -run '^$$' -bench '$(BENCH)' $(BENCHFLAGS) work

.PHONY: example
example: ## run the guild example once, in one process and in several, and check its reports
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	set -x; \
	go run ./examples/guild -once -sessions 2000 -posts 10 -report "$$dir/report.json"; \
	go run ./internal/ci/checkreport -traces 10 -services 3 "$$dir/report.json"; \
	go run ./examples/guild -nodes 3 -once -sessions 2000 -posts 10 -report "$$dir/nodes.json"; \
	go run ./internal/ci/checkreport -traces 10 -services 3 -nodes 3 -recipients 2000 "$$dir/nodes.json"

# The versions of protoc and its plugins stand in the generated files. They were
# made with protoc 3.21.12 (protobuf-compiler in Debian 12).
.PHONY: generate
generate: bin/protoc-gen-go bin/protoc-gen-go-grpc ## generate Go from the examples' .proto files (needs protoc)
	@command -v protoc >/dev/null || { echo "protoc is missing: apt-get install protobuf-compiler" >&2; exit 1; }
	@find examples -name '*.proto' | sort | while read -r file; do \
	  echo "protoc: $$file"; \
	  (cd "$$(dirname "$$file")" && protoc \
	    --plugin="$(CURDIR)/bin/protoc-gen-go" --go_out=. --go_opt=paths=source_relative \
	    --plugin="$(CURDIR)/bin/protoc-gen-go-grpc" --go-grpc_out=. --go-grpc_opt=paths=source_relative \
	    "$$(basename "$$file")"); \
	done

.PHONY: ci
ci: ## everything that continuous integration runs, in its order
	@.ci/run

.PHONY: clean
clean: ## remove what was built
	rm -rf bin

# Tools come in the versions of tools/go.mod, a module of its own so that what
# they need stays out of the library's build. They are rebuilt when it changes.
bin/%: tools/go.mod tools/go.sum
	cd tools && GOWORK=off go build -o ../$@ "$$(GOWORK=off go list tool | grep '/$*$$')"
	@touch $@
