# The single-page application of the suite, built twice with Vite, as a deploy
# finds it: $(SPA_DIR)/a is live, $(SPA_DIR)/b is the next build. The browser's
# driver is beside it. Included by the Makefile.

CARGO_TARGET_DIR ?= target
SPA_DIR := $(CARGO_TARGET_DIR)/spa
SPA_TOOLS := $(CARGO_TARGET_DIR)/tools/spa
SPA_INSTALLED := $(SPA_TOOLS)/installed
SPA_SOURCES := $(wildcard tests/spa/*.js tests/spa/*.mjs tests/spa/*.html tests/spa/src/* tests/spa/public/* tests/spa/grpc/*)

.PHONY: spa

## spa: build the single-page application of the browser's test (needs node and npm)
spa: $(SPA_DIR)/built

$(SPA_INSTALLED): tests/spa/package.json
	@mkdir -p $(SPA_TOOLS)
	cp $< $(SPA_TOOLS)/
	cd $(SPA_TOOLS) && npm install --no-package-lock --no-audit --no-fund
	@touch $@

# Built beside its tools, which Node looks for above the sources.
$(SPA_DIR)/built: $(SPA_INSTALLED) $(SPA_SOURCES)
	cp -R tests/spa/. $(SPA_TOOLS)/
	cd $(SPA_TOOLS) && for build in a b; do \
		SPA_BUILD=$$build SPA_OUT=$(abspath $(SPA_DIR))/$$build node_modules/.bin/vite build --logLevel warn || exit 1; done
	@touch $@
