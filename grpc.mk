# The client and the server of gRPC in Python (grpcio), against which the suite tests the
# gateway. Included by the Makefile.

CARGO_TARGET_DIR ?= target
GRPC_TOOLS := $(CARGO_TARGET_DIR)/tools/grpc

.PHONY: grpc

## grpc: install the peers of the tests of gRPC (needs python3)
grpc: $(GRPC_TOOLS)/installed

$(GRPC_TOOLS)/installed: tests/grpc/requirements.txt
	python3 -m venv $(GRPC_TOOLS)
	$(GRPC_TOOLS)/bin/pip install --quiet --requirement $<
	@touch $@
