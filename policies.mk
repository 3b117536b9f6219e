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

.PHONY: policies policies-js policies-python sdk-js-test sdk-python-test

## policies: build the components that are written in Rust
policies:
	@test -d "$$(rustc --print target-libdir --target wasm32-wasip2)" || rustup target add wasm32-wasip2
	$(CARGO) build --profile policy --target wasm32-wasip2 $(addprefix -p ,$(POLICY_CRATES))

## policies-js: build the example policy in JavaScript (needs node and npm)
policies-js: $(POLICY_DIR)/example_js.wasm

## policies-python: build the example policy in Python (needs python3)
policies-python: $(POLICY_DIR)/example_python.wasm

JS_EXAMPLE := examples/policies/javascript
JS_TOOLS := $(POLICY_TOOLS)/javascript
JS_INSTALLED := $(JS_TOOLS)/installed

$(JS_INSTALLED): $(JS_EXAMPLE)/package.json
	@mkdir -p $(JS_TOOLS)
	cp $< $(JS_TOOLS)/
	cd $(JS_TOOLS) && npm install --no-package-lock --no-audit --no-fund
	@touch $@

# Bundled first, since jco takes a single file.
$(POLICY_DIR)/example_js.wasm: $(JS_INSTALLED) $(JS_EXAMPLE)/policy.js sdk/javascript/janua.js $(wildcard wit/*.wit)
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

$(POLICY_DIR)/example_python.wasm: $(PYTHON_INSTALLED) $(PYTHON_EXAMPLE)/policies.py sdk/python/janua.py $(wildcard wit/*.wit)
	@mkdir -p $(POLICY_DIR)
	$(PYTHON_TOOLS)/bin/componentize-py --quiet --wit-path wit --world policy componentize \
		--python-path $(PYTHON_EXAMPLE) --python-path sdk/python \
		policies --output $(PYTHON_TOOLS)/example_python.wasm
	mv $(PYTHON_TOOLS)/example_python.wasm $@

## sdk-js-test: run the tests of the JavaScript SDK (needs node)
sdk-js-test:
	cd sdk/javascript && node --test

# Against the types that componentize-py makes of the contract.
## sdk-python-test: run the tests of the Python SDK (needs python3)
sdk-python-test: $(PYTHON_INSTALLED)
	rm -rf $(PYTHON_TOOLS)/bindings
	$(PYTHON_TOOLS)/bin/componentize-py --quiet --wit-path wit --world policy bindings $(PYTHON_TOOLS)/bindings
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(PYTHON_TOOLS)/bindings \
		$(PYTHON_TOOLS)/bin/python -m unittest discover sdk/python
