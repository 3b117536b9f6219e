# What a person types. CI runs the same; see .ci/run.

CARGO ?= cargo
export CARGO_TARGET_DIR ?= $(CURDIR)/target

.PHONY: help run release release-pgo test soak lint deny docs conformance testssl bench bench-peers bench-micro bench-instructions fuzz

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /  \1\t/p; s/^## \([a-z-]*\): /  \1\t/p' $(MAKEFILE_LIST) | sort

include policies.mk
include spa.mk
include grpc.mk

# The last two for their features: see tests/Cargo.toml.
RUN_CRATES := -p janua -p janua-quickstart -p janua-sdk -p janua-tests

run: policies ## build everything and boot examples/quickstart
	$(CARGO) build $(RUN_CRATES)
	$(CARGO_TARGET_DIR)/debug/janua-quickstart

RELEASE := $(CARGO_TARGET_DIR)/release

release: policies ## the binary to install, target/release/janua, and its symbols beside it
	$(CARGO) build --release -p janua
	$(call split-symbols,$(RELEASE)/janua)

# Optimised by a profile (PGO): an instrumented build serves each kind of request, and the
# compiler uses what it counted. With a target, the flags are not those of build scripts too.
PGO := $(abspath $(CARGO_TARGET_DIR))/pgo
HOST := $(shell rustc -vV | sed -n 's/^host: //p')
PROFDATA = $(shell rustc --print sysroot)/lib/rustlib/$(HOST)/bin/llvm-profdata
define pgo-build
	JANUA_POLICIES_DIR="$(abspath $(POLICY_DIR))" RUSTFLAGS="-C$(1)" \
		$(CARGO) build --release -p janua --target $(HOST) --target-dir $(PGO)/$(2)
endef
# Not `strip`, which is a function of make.
define split-symbols
	objcopy --only-keep-debug $(1) $(1).debug
	cd $(dir $(1)) && objcopy --strip-all --add-gnu-debuglink=janua.debug janua janua.stripped
	mv $(1).stripped $(1)
endef

release-pgo: policies ## the same with a fifth fewer instructions, target/pgo/janua; takes three times as long
	test -x "$(PROFDATA)" || rustup component add llvm-tools
	$(CARGO) build --release -p janua-load
	rm -rf $(PGO)/raw
	$(call pgo-build,profile-generate=$(PGO)/raw,train)
	cp $(PGO)/train/$(HOST)/release/janua $(PGO)/janua.train
	$(RELEASE)/janua-load compare --janua $(PGO)/janua.train --before $(PGO)/janua.train --seconds 2 --rounds 1
	$(PROFDATA) merge -o $(PGO)/profile $(PGO)/raw
	$(call pgo-build,profile-use=$(PGO)/profile,use)
	cp $(PGO)/use/$(HOST)/release/janua $(PGO)/janua
	$(call split-symbols,$(PGO)/janua)

# JavaScript, Python, C, Go and the browser's application where their tools are there;
# CI has all (CI=true). The compilers for C and Go are packages of Python.
HAVE_NODE := $(shell command -v npm >/dev/null 2>&1 && echo policies-js sdk-js-test spa)
HAVE_PYTHON := $(shell command -v python3 >/dev/null 2>&1 && echo policies-python policies-c policies-go sdk-python-test grpc)

test: policies sdk-c-test $(HAVE_NODE) $(HAVE_PYTHON) ## the whole suite
	$(CARGO) build $(RUN_CRATES)
	$(CARGO) test --workspace

# The binary of `make run` and `make test`: nothing is built twice, and its assertions and checks
# of overflow find more than a faster binary would.
SECONDS ?= 600

soak: policies ## mixed traffic for ten minutes while everything changes; SECONDS=60 for less
	$(CARGO) build $(RUN_CRATES)
	JANUA_SOAK_SECONDS=$(SECONDS) $(CARGO) test $(RUN_CRATES) --test soak -- --ignored --nocapture

lint: policies ## formatting, clippy, documentation
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path sdk/component/Cargo.toml --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked --manifest-path sdk/component/Cargo.toml --target-dir $(POLICY_TOOLS)/component -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet

deny: ## one version of a crate, known licences, known sources
	@command -v cargo-deny >/dev/null || test -x $(POLICY_TOOLS)/cargo/bin/cargo-deny || \
		CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
		$(CARGO) install --quiet --locked --root $(POLICY_TOOLS)/cargo cargo-deny --version 0.19.9
	PATH="$(POLICY_TOOLS)/cargo/bin:$$PATH" cargo-deny check licenses bans sources
	PATH="$(POLICY_TOOLS)/cargo/bin:$$PATH" cargo-deny --manifest-path sdk/component/Cargo.toml \
		check --config deny.toml --allow license-not-encountered --allow license-exception-not-encountered \
		--allow unmatched-skip --allow unmatched-skip-root licenses bans sources

# The targets under libFuzzer; the short run without it is part of `make test`.
SECONDS := 60
fuzz: ## coverage-guided fuzzing; SECONDS=60 for each target, TARGET=name for one (needs a C++ compiler)
	CARGO="$(CARGO)" tests/fuzz/run $(SECONDS) $(TARGET)

docs: policies ## write the generated references in docs/ anew
	$(CARGO) build $(RUN_CRATES)
	@for page in cli config metrics access-log cache-status policies; do \
		$(CARGO_TARGET_DIR)/debug/janua reference $$page > docs/$$page.md; done; mv docs/config.md docs/configuration.md

conformance: policies ## the RFC 9111 suite of cache-tests.fyi; writes docs/conformance.md (needs node and npm)
	$(CARGO) build $(RUN_CRATES)
	tests/conformance/run

testssl: policies ## examine the TLS of a gateway with testssl.sh (needs testssl.sh and openssl)
	$(CARGO) build $(RUN_CRATES)
	JANUA_BINARY=$(CARGO_TARGET_DIR)/debug/janua REPORT=$(CARGO_TARGET_DIR)/testssl.txt tests/tls/testssl

bench: policies ## CPU per request (HTTP/1, TLS, HTTP/2, gRPC, WebSocket, files, cache), memory and reloads beside the peers; writes docs/benchmarks.md
	$(CARGO) build --release -p janua -p janua-load
	tests/load/peers.sh
	$(CARGO_TARGET_DIR)/release/janua-load bench --micro --out docs/benchmarks.md

bench-peers: ## install the peers of the benchmark, Envoy and Caddy too
	tests/load/peers.sh --all

bench-instructions: policies ## user instructions per request; BEFORE=path holds another build against this one (needs valgrind)
	$(CARGO) build --release -p janua -p janua-load
	$(RELEASE)/janua-load instructions $(if $(BEFORE),--janua $(BEFORE)) --janua $(RELEASE)/janua

bench-micro: policies ## router, balancing, memo hit, policy call, HTTP/2, cache
	$(CARGO) bench -p janua-h2 -p janua-hpack -p janua-router -p janua-upstream -p janua-wasm
	$(CARGO) run --release -p janua-cache --example measure
