# The components: bundled policies, examples and fixtures. Included by the
# Makefile. All of them end up in $(POLICY_DIR) as *.wasm, as the tests expect.

CARGO ?= cargo
CARGO_TARGET_DIR ?= target
POLICY_DIR := $(CARGO_TARGET_DIR)/wasm32-wasip2/policy
POLICY_TOOLS := $(CARGO_TARGET_DIR)/tools

# A folder is a crate: its name tells the crate's.
POLICY_CRATES := \
	$(patsubst plugins/%/Cargo.toml,janua-policy-%,$(wildcard plugins/*/Cargo.toml)) \
	janua-example-policy-rust \
	$(patsubst tests/fixtures/policies/%/Cargo.toml,janua-fixture-%,$(wildcard tests/fixtures/policies/*/Cargo.toml))

.PHONY: policies policies-js policies-python policies-c policies-go sdk-js-test sdk-python-test sdk-c-test

## policies: build the components that are written in Rust
policies:
	@test -d "$$(rustc --print target-libdir --target wasm32-wasip2)" || rustup target add wasm32-wasip2
	$(CARGO) build --profile policy --target wasm32-wasip2 $(addprefix -p ,$(POLICY_CRATES))

## policies-js: build the example policy in JavaScript (needs node and npm)
policies-js: $(POLICY_DIR)/example_js.wasm

## policies-python: build the example policy in Python (needs python3)
policies-python: $(POLICY_DIR)/example_python.wasm

## policies-c: build the example policy in C (needs python3, from whose packages the compiler comes)
policies-c: $(POLICY_DIR)/example_c.wasm

## policies-go: build the example policy in Go (needs python3, from whose packages the compiler comes)
policies-go: $(POLICY_DIR)/example_go.wasm

JS_EXAMPLE := examples/policies/javascript
JS_TOOLS := $(POLICY_TOOLS)/javascript
JS_INSTALLED := $(JS_TOOLS)/installed

$(JS_INSTALLED): $(JS_EXAMPLE)/package.json
	@mkdir -p $(JS_TOOLS)
	cp $< $(JS_TOOLS)/
	cd $(JS_TOOLS) && npm install --no-package-lock --no-audit --no-fund
	@touch $@

# Bundled first, since jco takes a single file.
$(POLICY_DIR)/example_js.wasm: $(JS_INSTALLED) $(JS_EXAMPLE)/policy.js $(wildcard sdk/javascript/*.js) $(wildcard wit/*.wit)
	@mkdir -p $(POLICY_DIR)
	$(JS_TOOLS)/node_modules/.bin/rolldown $(JS_EXAMPLE)/policy.js --format esm --file $(JS_TOOLS)/example_js.js
	cd $(JS_TOOLS) && node_modules/.bin/jco componentize example_js.js \
		--wit $(CURDIR)/wit --world-name policy \
		--backend qjs --backend-qjs-disable-async --out example_js.wasm
	mv $(JS_TOOLS)/example_js.wasm $@

PYTHON_EXAMPLE := examples/policies/python
PYTHON_TOOLS := $(POLICY_TOOLS)/python
PYTHON_INSTALLED := $(PYTHON_TOOLS)/installed

$(PYTHON_INSTALLED): $(PYTHON_EXAMPLE)/requirements.txt
	@mkdir -p $(POLICY_TOOLS)
	python3 -m venv $(PYTHON_TOOLS)
	$(PYTHON_TOOLS)/bin/pip install --quiet --requirement $<
	@touch $@

$(POLICY_DIR)/example_python.wasm: $(PYTHON_INSTALLED) $(PYTHON_EXAMPLE)/policies.py $(wildcard sdk/python/janua/*.py) $(wildcard wit/*.wit)
	@mkdir -p $(POLICY_DIR)
	$(PYTHON_TOOLS)/bin/componentize-py --quiet --wit-path wit --world policy componentize \
		--python-path $(PYTHON_EXAMPLE) --python-path sdk/python \
		policies --output $(PYTHON_TOOLS)/example_python.wasm
	mv $(PYTHON_TOOLS)/example_python.wasm $@

# For C and Go: generates bindings, and makes a component of a core module. See its Cargo.toml for why
# it is no crate of the workspace.
COMPONENT := $(POLICY_TOOLS)/component/debug/janua-component

$(COMPONENT): $(wildcard sdk/component/src/*.rs) sdk/component/Cargo.toml sdk/component/Cargo.lock
	$(CARGO) build --quiet --locked --manifest-path sdk/component/Cargo.toml --target-dir $(POLICY_TOOLS)/component
	@touch $@

# Each compiler is a package of Python, in an environment of its own.
define python-tools
	@mkdir -p $(POLICY_TOOLS)
	python3 -m venv $(dir $@)
	$(dir $@)bin/pip install --quiet --no-cache-dir --requirement $<
	@touch $@
endef

C_EXAMPLE := examples/policies/c
C_TOOLS := $(POLICY_TOOLS)/c
C_INSTALLED := $(C_TOOLS)/installed

$(C_INSTALLED): $(C_EXAMPLE)/requirements.txt
	$(python-tools)

$(POLICY_DIR)/example_c.wasm: $(C_INSTALLED) $(COMPONENT) $(wildcard $(C_EXAMPLE)/*.c sdk/c/*) $(wildcard wit/*.wit)
	@mkdir -p $(POLICY_DIR)
	rm -rf $(C_TOOLS)/contract
	$(COMPONENT) c wit policy $(C_TOOLS)/contract
	ZIG_GLOBAL_CACHE_DIR=$(C_TOOLS)/cache ZIG_LOCAL_CACHE_DIR=$(C_TOOLS)/cache \
		$(C_TOOLS)/bin/python -m ziglang cc --target=wasm32-wasi -mexec-model=reactor -Os -s -std=c11 -Wl,-z,stack-size=262144 \
		-Wall -Wextra -Werror -Isdk/c -isystem $(C_TOOLS)/contract \
		$(C_EXAMPLE)/policy.c sdk/c/janua.c sdk/c/json.c $(C_TOOLS)/contract/contract.c \
		$(C_TOOLS)/contract/contract_component_type.o -o $(C_TOOLS)/module.wasm
	$(COMPONENT) encode wit policy $(C_TOOLS)/module.wasm $(C_TOOLS)/example_c.wasm
	mv $(C_TOOLS)/example_c.wasm $@

GO_EXAMPLE := examples/policies/go
GO_TOOLS := $(POLICY_TOOLS)/go
GO_INSTALLED := $(GO_TOOLS)/installed
GO_SDK := $(shell find sdk/go -type f)

$(GO_INSTALLED): $(GO_EXAMPLE)/requirements.txt
	$(python-tools)

# The SDK is copied, since the bindings become a part of its module. Nothing is fetched.
$(POLICY_DIR)/example_go.wasm: $(GO_INSTALLED) $(COMPONENT) $(wildcard $(GO_EXAMPLE)/*.go) $(GO_SDK) $(wildcard wit/*.wit)
	@mkdir -p $(POLICY_DIR)
	rm -rf $(GO_TOOLS)/sdk $(GO_TOOLS)/go.work*
	cp -r sdk/go $(GO_TOOLS)/sdk
	$(COMPONENT) go wit policy $(GO_TOOLS)/sdk/bindings
	printf 'go 1.25\nuse %s\nuse %s\n' $(abspath $(GO_TOOLS)/sdk) $(abspath $(GO_EXAMPLE)) > $(GO_TOOLS)/go.work
	cd $(GO_EXAMPLE) && GOWORK=$(abspath $(GO_TOOLS))/go.work GOPATH=$(abspath $(GO_TOOLS))/path \
		GOCACHE=$(abspath $(GO_TOOLS))/cache GOPROXY=off GOTOOLCHAIN=local GOFLAGS= GOOS=wasip1 GOARCH=wasm \
		$(abspath $(GO_TOOLS))/bin/go build -trimpath -buildmode=c-shared \
		-ldflags="-s -w -checklinkname=0" -o $(abspath $(GO_TOOLS))/module.wasm .
	$(COMPONENT) encode wit policy $(GO_TOOLS)/module.wasm $(GO_TOOLS)/example_go.wasm
	mv $(GO_TOOLS)/example_go.wasm $@

## sdk-js-test: run the tests of the JavaScript SDK, and check its types (needs node and npm)
sdk-js-test: $(JS_INSTALLED)
	cd sdk/javascript && JANUA_TSC=$(abspath $(JS_TOOLS))/node_modules/.bin/tsc node --test

# Against the types that componentize-py makes of the contract.
## sdk-python-test: run the tests of the Python SDK (needs python3)
sdk-python-test: $(PYTHON_INSTALLED)
	rm -rf $(PYTHON_TOOLS)/bindings
	$(PYTHON_TOOLS)/bin/componentize-py --quiet --wit-path wit --world policy-with-secrets bindings $(PYTHON_TOOLS)/bindings
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(PYTHON_TOOLS)/bindings \
		$(PYTHON_TOOLS)/bin/python -m unittest discover sdk/python

## sdk-c-test: run the tests of the C SDK's JSON reader, natively (needs a C compiler)
sdk-c-test:
	@mkdir -p $(POLICY_TOOLS)
	$(CC) -std=c11 -Wall -Wextra -Werror -g -fsanitize=address,undefined \
		sdk/c/test_json.c sdk/c/json.c -o $(POLICY_TOOLS)/test_json
	$(POLICY_TOOLS)/test_json
