# Every verb of the project; `make help` prints them.

PYTHON ?= python3
STAMP  := .venv/.npms-stamp
BIN    := .venv/bin
NPMS   := $(BIN)/npms

MAKEFLAGS     += --no-print-directory
.DEFAULT_GOAL := help

present = $(wildcard $(addprefix tests/,$(1)))

##@ Begin

.PHONY: help
help: ## Print this
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: $(STAMP) ## Make .venv from requirements.lock (every other verb does it when needed)

$(STAMP): requirements.lock tools/bootstrap.py $(wildcard */pyproject.toml services/*/pyproject.toml)
	@$(PYTHON) tools/bootstrap.py

.PHONY: demo
demo: $(STAMP) ## Tell the whole story on a simulated street; ONCE=1 ends by itself
	@$(NPMS) demo $(if $(ONCE),--once)

.PHONY: serve
serve: $(STAMP) ## Run nodes and services in the foreground, without street and story
	@$(NPMS) stack serve

.PHONY: up
up: $(STAMP) ## Start PostgreSQL and RabbitMQ, privately, under .run/
	@$(NPMS) stack up

.PHONY: migrate
migrate: $(STAMP) ## Bring the five databases to their newest revisions
	@$(NPMS) stack migrate

.PHONY: down
down: $(STAMP) ## Stop what was started here; data is kept
	@$(NPMS) stack down --all

.PHONY: clean
clean: $(STAMP) ## Stop, and remove data, logs, keys and passwords
	@$(NPMS) stack clean --all

##@ Look

.PHONY: status
status: $(STAMP) ## Say what runs
	@$(NPMS) stack status

.PHONY: logs
logs: $(STAMP) ## Print the last lines of every log
	@$(NPMS) stack logs

.PHONY: token
token: $(STAMP) ## Print a token; ROLE=customer CUSTOMER=1 (default: operator)
	@$(NPMS) token --role $(or $(ROLE),operator) $(if $(CUSTOMER),--customer $(CUSTOMER))

.PHONY: audit
audit: $(STAMP) ## Prove on the databases that nothing was lost or doubled
	@$(NPMS) audit $(ARGS)

.PHONY: bench
bench: $(STAMP) ## Measure readings a second, from reading to posted balance
	@$(NPMS) bench $(ARGS)

.PHONY: soak
soak: $(STAMP) ## Every fault on a simulated street, real services, all accounted for (ARGS=)
	@$(NPMS) soak $(ARGS)

.PHONY: bench-rating
bench-rating: $(STAMP) ## Measure rating alone, beside bare additions and PySAM
	@$(NPMS) bench-rating $(ARGS)

.PHONY: bench-modbus
bench-modbus: $(STAMP) ## Measure what a Modbus read costs, beside pymodbus, libmodbus and modbus-serial
	@$(NPMS) bench-modbus $(ARGS)

.PHONY: bench-gateway
bench-gateway: $(STAMP) ## Measure what one gateway process needs for ten thousand meters
	@$(NPMS) bench-gateway $(ARGS)

##@ Check

.PHONY: check
check: $(STAMP) ## Lint, format, types and import direction; under a minute
	@$(MAKE) --jobs=4 --output-sync=target --keep-going check-lint check-format check-types check-imports
	@echo "check: all good"

.PHONY: check-lint check-format check-types check-imports
check-lint: $(STAMP)
	@$(BIN)/ruff check --quiet .
check-format: $(STAMP)
	@$(BIN)/ruff format --check --quiet . || { echo "make format mends these:"; $(BIN)/ruff format --check .; exit 1; }
check-types: $(STAMP)
	@$(BIN)/mypy
check-imports: $(STAMP)
	@$(BIN)/lint-imports --no-logo

.PHONY: format
format: $(STAMP) ## Format, and mend what the linter can mend
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix .

.PHONY: test
test: $(STAMP) ## All tests, on own nodes; under ten minutes
	@status=0; \
	$(BIN)/pytest $(call present,unit contract integration deploy) -n 3 -q || status=1; \
	$(if $(call present,system),$(BIN)/pytest $(call present,system) -n 0 || status=1;) \
	exit $$status

.PHONY: test-unit test-contract test-integration test-deploy test-system
test-unit: $(STAMP) ## Rules and parts, without servers
	@$(BIN)/pytest tests/unit -q $(ARGS)
test-contract: $(STAMP) ## Events and REST descriptions against their golden files
	@$(BIN)/pytest tests/contract -q $(ARGS)
test-integration: $(STAMP) ## Parts on a real database and broker
	@$(BIN)/pytest tests/integration -n 2 -q $(ARGS)
test-deploy: $(STAMP) ## Containers and manifests, offline
	@$(BIN)/pytest tests/deploy -q $(ARGS)
test-system: $(STAMP) ## Real processes, killed, frozen and cut off
	@$(BIN)/pytest tests/system -n 0 $(ARGS)

.PHONY: test-deep
test-deep: $(STAMP) ## Property tests with 2,000 examples each; takes an hour or so
	@NPMS_TEST_PROFILE=deep $(BIN)/pytest tests/unit -m hypothesis -n 2 -q --timeout=3600 $(ARGS)

PYSAM := .run/pysam

$(PYSAM)/.stamp: tools/pysam/requirements.txt
	@$(PYTHON) -m venv $(PYSAM)
	@$(PYSAM)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.PHONY: test-pysam
test-pysam: $(STAMP) $(PYSAM)/.stamp ## Bills of a year beside those of NREL's PySAM, in its own environment
	@NPMS_PYSAM_PYTHON=$(PYSAM)/bin/python $(BIN)/pytest tests/pysam -q $(ARGS)

##@ Change

.PHONY: schemas
schemas: $(STAMP) ## Write golden schemas, AsyncAPI, OpenAPI and the plan schema anew
	@$(NPMS) schemas

.PHONY: revision
revision: $(STAMP) ## Begin a migration: SERVICE=ledger M="add the column"
	@$(NPMS) revision "$(SERVICE)" "$(M)"

.PHONY: lock
lock: ## Resolve requirements*.in into a hashed lock, and cut the images' from it (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv in PATH"; exit 1; }
	@uv pip compile $(LOCKING) requirements-dev.in --output-file requirements.lock
	@$(PYTHON) tools/bootstrap.py && $(NPMS) locks

LOCKING := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
           --no-emit-index-url --no-emit-find-links
