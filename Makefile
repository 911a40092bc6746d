# Two commands do everything on a fresh Debian-like machine: `make demo` and `make test`.
# Each installs what is missing first. ARGS goes on to the program: make demo ARGS=--stay

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.PHONY: help setup rocksdb python build demo test fmt lint deny doc unit smoke fuzz torture coverage mutants bench growth compare format clean

ARGS ?=
# CI tests what was committed, so there Cargo.lock must not change.
LOCKED := $(if $(CI),--locked)

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: ## install what is missing (or say what to install)
	@scripts/setup.sh

rocksdb: setup ## compile RocksDB once and keep it outside the clone
	@scripts/cargo-config.sh

python: setup ## make .venv for the checks written in Python
	@scripts/python.sh

build: rocksdb ## build all programs
	@cargo build $(LOCKED) --workspace

# Not `-p claimtrail-tests`: with fewer packages chosen, cargo joins their features anew and compiles dependencies twice.
demo: build ## build, start a log, submit real facts, verify, tamper, audit, watch, fork, convict
	@cargo run $(LOCKED) --quiet --bin claimtrail-demo -- $(ARGS)

test: ## everything that CI checks: fmt, lint, deny, doc, unit, smoke
	+@MAKE="$(MAKE)" scripts/steps.sh test setup rocksdb python fmt lint deny doc unit smoke

fmt: setup ## is the code formatted? (make format does it)
	@cargo fmt --all --check

format: setup ## format the code
	@cargo fmt --all

lint: rocksdb ## clippy, warnings denied
	@cargo clippy $(LOCKED) --workspace --all-targets -- -D warnings

deny: setup ## licences, sources, duplicate and banned dependencies, advisories
	@scripts/deny.sh

doc: rocksdb ## the code's documentation, warnings denied
	@RUSTDOCFLAGS="-D warnings" cargo doc $(LOCKED) --workspace --no-deps

unit: rocksdb python ## all tests
	@if [ -x .venv/bin/python ]; then export CLAIMTRAIL_PYTHON="$$PWD/.venv/bin/python"; fi; \
	cargo test $(LOCKED) --workspace

smoke: setup ## every fuzz target for a second
	@scripts/fuzz.sh smoke

fuzz: setup ## every fuzz target for ten minutes; ARGS="60 note" is one for a minute, ARGS=minimise keeps what was found
	@scripts/fuzz.sh $(ARGS)

torture: rocksdb ## schedules of faults with new seeds for an hour; ARGS=600 is ten hours, CLAIMTRAIL_SEED=7 that one alone
	@cargo run $(LOCKED) --quiet --bin claimtrail-torture -- $(ARGS)

coverage: rocksdb ## which lines of the rules and the sequencer the tests reach
	@scripts/coverage.sh

mutants: setup ## which changes of the rules' code no test notices, for many hours; MUTANTS_SHARD=0/40 is a sample of them
	@scripts/mutants.sh $(ARGS)

bench: rocksdb ## measure, optimised build
	@cargo run $(LOCKED) --release --quiet --bin claimtrail-bench -- $(ARGS)

growth: rocksdb ## grow a store to a hundred million entries; ARGS="1000000 FOLDER" is a smaller one, elsewhere
	@cargo run $(LOCKED) --release --quiet --bin claimtrail-growth -- $(ARGS)

compare: rocksdb ## the benchmark of this state against another one: ARGS="COMMIT [ROUNDS]"
	@scripts/compare.sh $(ARGS)

clean: ## remove what was built here; the kept RocksDB stays
	@cargo clean
	@rm -rf .venv
