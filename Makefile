# What a person types. CI runs the same; see .ci/run.

CARGO ?= cargo
export CARGO_TARGET_DIR ?= $(CURDIR)/target

.PHONY: help run release test lint deny docs conformance bench bench-peers bench-micro bench-instructions

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /  \1\t/p; s/^## \([a-z-]*\): /  \1\t/p' $(MAKEFILE_LIST) | sort

include policies.mk
include spa.mk

# The last two for their features: see tests/Cargo.toml.
RUN_CRATES := -p janua -p janua-quickstart -p janua-sdk -p janua-tests

run: policies ## build everything and boot examples/quickstart
	$(CARGO) build $(RUN_CRATES)
	$(CARGO_TARGET_DIR)/debug/janua-quickstart

RELEASE := $(CARGO_TARGET_DIR)/release

release: policies ## the binary to install, target/release/janua, and its symbols beside it
	$(CARGO) build --release -p janua
	objcopy --only-keep-debug $(RELEASE)/janua $(RELEASE)/janua.debug
	cd $(RELEASE) && objcopy --strip-all --add-gnu-debuglink=janua.debug janua janua.stripped
	mv $(RELEASE)/janua.stripped $(RELEASE)/janua

# JavaScript, Python and the browser's application where their tools are there;
# CI has all (CI=true).
HAVE_NODE := $(shell command -v npm >/dev/null 2>&1 && echo policies-js sdk-js-test spa)
HAVE_PYTHON := $(shell command -v python3 >/dev/null 2>&1 && echo policies-python sdk-python-test)

test: policies $(HAVE_NODE) $(HAVE_PYTHON) ## the whole suite
	$(CARGO) build $(RUN_CRATES)
	$(CARGO) test --workspace

lint: policies ## formatting, clippy, documentation
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet

deny: ## one version of a crate, known licences, known sources
	@command -v cargo-deny >/dev/null || test -x $(POLICY_TOOLS)/cargo/bin/cargo-deny || \
		CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
		$(CARGO) install --quiet --locked --root $(POLICY_TOOLS)/cargo cargo-deny --version 0.19.9
	PATH="$(POLICY_TOOLS)/cargo/bin:$$PATH" cargo-deny check licenses bans sources

docs: policies ## write the generated references in docs/ anew
	$(CARGO) build $(RUN_CRATES)
	@for page in cli config metrics access-log cache-status policies; do \
		$(CARGO_TARGET_DIR)/debug/janua reference $$page > docs/$$page.md; done; mv docs/config.md docs/configuration.md

conformance: policies ## the RFC 9111 suite of cache-tests.fyi; writes docs/conformance.md (needs node and npm)
	$(CARGO) build $(RUN_CRATES)
	tests/conformance/run

bench: policies ## CPU per request, memory and reloads beside the peers; writes docs/benchmarks.md
	$(CARGO) build --release -p janua -p janua-load
	tests/load/peers.sh
	$(CARGO_TARGET_DIR)/release/janua-load bench --micro --out docs/benchmarks.md

bench-peers: ## install the peers of the benchmark, Envoy and Caddy too
	tests/load/peers.sh --all

bench-instructions: policies ## user instructions per request; BEFORE=path holds another build against this one (needs valgrind)
	$(CARGO) build --release -p janua -p janua-load
	$(RELEASE)/janua-load instructions $(if $(BEFORE),--janua $(BEFORE)) --janua $(RELEASE)/janua

bench-micro: policies ## router, memo hit, policy call, cache
	$(CARGO) bench -p janua-router -p janua-wasm
	$(CARGO) run --release -p janua-cache --example measure
