# `make run` and `make test` do everything on a fresh machine with cargo and make. `make help` lists the rest.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# Recipes are Cargo's own parallel jobs; two at a time would only wait for each other's lock.
.NOTPARALLEL:
.PHONY: help deps run demo import test test-net fmt lint doc bench fuzz properties audit

# Cases per property in `make properties`.
CASES ?= 20000
# Scenarios in `make test-net`, all of them unless told, and how often each runs, as often as it says unless told.
SCENARIOS ?=
export RUNS ?=
# Time for each program in `make fuzz`.
FUZZ_SECONDS ?= 60

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 18

run: ## Start a node: no configuration, Ctrl-C stops it (HTTP_PORT, P2P_PORT, PEERS and YAP_* are heeded)
	@scripts/deps.sh run
	@scripts/run.sh

demo: ## Three nodes in a line, payments, a node that dies, narrated step by step
	@scripts/deps.sh run
	cargo build --release --locked -p yap-node --bin yap
	@"$${CARGO_TARGET_DIR:-target}/release/yap" demo

import: ## Import a chain that Bitcoin Core made and compare the result with Core's
	@scripts/deps.sh run
	@scripts/import.sh

test: ## The gate: everything a change must pass
	@scripts/deps.sh test
	@scripts/gate.sh

# Built as whoever calls, run as root: only root can make networks.
test-net: ## Whole peers in networks of every kind, in namespaces (Linux, root); SCENARIOS names some, RUNS says how often
	@scripts/deps.sh net
	cargo build --locked -p yap-lab --bins
	@scripts/test-net.sh $(SCENARIOS)

test-load: ## A minute of 200 payments a second through three nodes, with what it took
	@scripts/deps.sh test
	cargo nextest run --locked -p yap-node --test line --run-ignored only --no-capture

deps: ## Install what the build and the gate need
	@scripts/deps.sh test
	@echo "deps: nothing is missing"

fmt: ## Format the source
	cargo fmt --all

lint: ## Format check, crate graph and clippy: the quick part of the gate
	@scripts/deps.sh test
	@scripts/gate.sh format graph clippy

doc: ## Build the documentation of the crates
	@scripts/deps.sh run
	@scripts/gate.sh docs

bench: ## Measure import, mempool, network and running nodes; YAP_TEST_DATA names a folder with larger chains
	@scripts/deps.sh run
	@if [ -z "$${YAP_TEST_DATA:-}" ]; then \
	    echo "bench: YAP_TEST_DATA is not set, so a small chain is measured, which says little"; fi
	cargo bench --locked -p yap-node --bench import
	cargo bench --locked -p yap-node --bench mempool
	cargo bench --locked -p yap-chain --bench mempool
	cargo bench --locked -p yap-net --bench network
	cargo bench --locked -p yap-node --bench node

fuzz: ## Decoders under libFuzzer, FUZZ_SECONDS each (needs cargo-fuzz and nightly Rust)
	@scripts/deps.sh run
	@FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz.sh

properties: ## The tests, with CASES new cases per property that sets no number of its own
	@scripts/deps.sh test
	@PROPTEST_CASES=$(CASES) NEXTEST_PROFILE=properties scripts/gate.sh tests

audit: ## Known vulnerabilities in dependencies (needs github.com)
	@scripts/deps.sh test
	cargo deny --workspace --all-features --locked check advisories
