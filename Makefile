# What developers and CI run. `make help` lists the targets; the steps of
# `make test` are targets too.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

GO ?= go
TOOLS := $(CURDIR)/.tools
GOLANGCI_LINT := $(TOOLS)/golangci-lint-2.15.0
GOVULNCHECK := $(TOOLS)/govulncheck-1.9.0
PROMTOOL := $(TOOLS)/promtool
PROMETHEUS := $(TOOLS)/prometheus
ALERTMANAGER := $(TOOLS)/alertmanager
FUZZTIME ?= 10s
SEEDS ?= 20000
ORACLES := $(TOOLS)/oracle-venv
SEED ?= 1
CASES ?= 200

# The profile of the binary would have all packages built twice: it is for the
# binary alone.
export GOFLAGS := $(GOFLAGS) -pgo=off

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
INFO := github.com/prometheus/common/version
LDFLAGS := -s -w -X $(INFO).Version=$(VERSION) -X $(INFO).Revision=$(REVISION)

# Packages that run goroutines.
CONCURRENT := ./alerts/deliver ./cmd/... ./consumer ./internal/api/... ./internal/eventfile ./internal/telemetry

STEPS := needs format tidy build vet unit lint race fuzz kafka metrics rules alertmanager prometheus vuln

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## Everything: each of the steps below up to vuln.
	@for step in $(STEPS); do .ci/step $$step $(MAKE) --no-print-directory $$step; done

needs: ## Say what is missing on this machine.
	@.ci/needs

format: ## Find files that are not gofmt'ed.
	@files=$$(git ls-files '*.go' | xargs gofmt -l); if [ -n "$$files" ]; then echo "run gofmt -w on:"; echo "$$files"; exit 1; fi

tidy: ## Find what go mod tidy would change.
	@$(GO) mod tidy -diff

build: ## Build bin/rampgauge, static.
	@CGO_ENABLED=0 $(GO) build -pgo=auto -trimpath -ldflags '$(LDFLAGS)' -o bin/rampgauge ./cmd/rampgauge

vet: ## Run go vet with all tags.
	@$(GO) vet -tags kafka,promtool,alertmanager,prometheus ./...

unit: ## Run the unit tests; among them are the checks of imports and of generated pages.
	@$(GO) test ./...

race: ## Run the tests of concurrent packages under the race detector, where there is a C compiler.
	@if [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v "$$($(GO) env CC)" >/dev/null; then \
		$(GO) test -race -short $(CONCURRENT); \
		$(GO) test -race -short -run '^TestServiceWhileRecordsArrive$$' ./internal/e2e; \
	else echo "no C compiler: not run"; fi

fuzz: ## Run each fuzz target for FUZZTIME.
	@GO='$(GO)' .ci/fuzz $(FUZZTIME)

kafka: ## Run the integration tests against a real Kafka broker.
	@GO='$(GO)' .ci/kafka

metrics: $(PROMTOOL) ## Let promtool check /metrics, of the demo and with every metric filled.
	@PROMTOOL=$(PROMTOOL) $(GO) test -tags promtool -count 1 -run TestPromtool ./cmd/rampgauge ./internal/api/exposition

rules: $(PROMTOOL) ## Let promtool check the rules of Prometheus, and run their unit tests.
	@PROMTOOL=$(PROMTOOL) $(GO) test -tags promtool -count 1 -run TestPromtool ./dashboards

alertmanager: $(ALERTMANAGER) ## Let a real Alertmanager receive, group and resolve alerts.
	@ALERTMANAGER=$(ALERTMANAGER) $(GO) test -tags alertmanager -count 1 -run TestAlertmanager ./alerts/receiver/alertmanager

prometheus: $(PROMETHEUS) $(ALERTMANAGER) ## Page by a real Prometheus and a real Alertmanager.
	@PROMETHEUS=$(PROMETHEUS) ALERTMANAGER=$(ALERTMANAGER) $(GO) test -tags prometheus -count 1 -run TestPrometheus ./dashboards

lint: $(GOLANGCI_LINT) ## Run golangci-lint.
	@$(GOLANGCI_LINT) run ./...

vuln: $(GOVULNCHECK) ## Look for known vulnerabilities in what is called.
	@.ci/vuln $(GOVULNCHECK)

generate: ## Rewrite what is generated: the reference pages and the rules of Prometheus.
	@$(GO) run ./internal/docgen

docs: generate ## The same.

bench: build ## Measure candidates and records per CPU-second on a real broker, beside the floor.
	@$(GO) run ./internal/loadbench -binary bin/rampgauge $(BENCHFLAGS)

profile: ## Measure again the profile by which the binary is optimised, cmd/rampgauge/default.pgo.
	@rm -rf bin/profiles && mkdir -p bin/profiles
	@$(GO) build -tags profile -trimpath -o bin/rampgauge-profile ./cmd/rampgauge
	@RAMPGAUGE_PROFILES=$(CURDIR)/bin/profiles $(GO) run ./internal/loadbench -binary bin/rampgauge-profile -rounds 4
	@$(GO) tool pprof -proto bin/profiles/* 2>/dev/null | gzip -dc | .ci/unpath '$(CURDIR)/bin/rampgauge-profile' | gzip -n9 >cmd/rampgauge/default.pgo

bench-delay: build ## Measure how long an event takes to the numbers, at half of full load.
	@$(GO) run ./internal/loadbench -mode delay -binary bin/rampgauge $(BENCHFLAGS)

bench-restart: build ## Measure a restart after kill -9 with a million winners waiting.
	@$(GO) run ./internal/loadbench -mode restart -binary bin/rampgauge $(BENCHFLAGS)

bench-disk: build ## Lose the disk of an instance with checkpoints, and see what is read again.
	@$(GO) run ./internal/loadbench -mode disk -binary bin/rampgauge $(BENCHFLAGS)

bench-checkpoints: build ## Measure the bytes that checkpoints send as the state grows.
	@$(GO) run ./internal/loadbench -mode checkpoints -binary bin/rampgauge $(BENCHFLAGS)

chaos: build ## Kill, freeze and move instances on a real broker, and compare the numbers.
	@$(GO) run ./internal/chaos -binary bin/rampgauge $(CHAOSFLAGS)

simulate-faults: ## Run 20,000 simulated worlds through every fault, and find planted bugs (SEEDS=n).
	@$(GO) build -o bin/faultsim ./internal/faultsim/run
	@bin/faultsim -seeds $(SEEDS)
	@bin/faultsim -mutations -seeds 2000

oracle: $(ORACLES)/done ## Ask other packages for CASES random cases of each statistic, drawn from SEED.
	@mkdir -p bin
	@$(GO) run ./internal/oracle/draw -seed $(SEED) -cases $(CASES) >bin/oracle-cases.jsonl
	@$(ORACLES)/bin/python -B internal/oracle/oracle.py bin/oracle-cases.jsonl internal/stats/testdata/vectors

study: ## Measure what the statistics promise, and write docs/studies.md (minutes).
	@$(GO) run ./internal/study/run

clean: ## Remove what was built, but for the tools.
	@rm -rf bin

$(GOLANGCI_LINT):
	@.ci/install $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

$(GOVULNCHECK):
	@.ci/install $@ golang.org/x/vuln/cmd/govulncheck@v1.9.0

study-alerts: ## Measure how often the default alerts page in vain, and how soon in earnest (an hour).
	@$(GO) run ./internal/alertstudy/run

$(ORACLES)/done: internal/oracle/requirements.txt internal/oracle/install
	@internal/oracle/install $(ORACLES)

$(PROMTOOL):
	@.ci/promtool $@

$(PROMETHEUS):
	@.ci/prometheus $@

$(ALERTMANAGER):
	@.ci/alertmanager $@

.PHONY: help test $(STEPS) generate docs bench profile bench-delay bench-restart bench-disk bench-checkpoints chaos simulate-faults oracle study study-alerts clean
