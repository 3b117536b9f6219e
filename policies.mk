# The components: bundled policies, examples and fixtures. Included by the
# Makefile. All of them end up in $(POLICY_DIR) as *.wasm.

CARGO ?= cargo
CARGO_TARGET_DIR ?= target
POLICY_DIR := $(CARGO_TARGET_DIR)/wasm32-wasip2/policy

POLICY_CRATES := janua-policy-api-key janua-policy-headers janua-policy-rate-limit

.PHONY: policies policies-target

## policies: build the components that are written in Rust
policies: policies-target
	$(CARGO) build --profile policy --target wasm32-wasip2 $(addprefix -p ,$(POLICY_CRATES))

policies-target:
	@rustc --print target-libdir --target wasm32-wasip2 2>/dev/null | xargs test -d || rustup target add wasm32-wasip2
