# `make` alone lists what one can do here. Every target prepares what it needs.

PORT ?= 8080
export PORT
# Dozens of processes run the same modules: each compiles them anew where this is set, as it is in many images.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
# The first Python that will do, or the one named by PYTHON=…; never that of a virtual environment, which may be the one to be made anew.
PYTHON ?= $(shell for each in python3.13 python3.12 python3.11 python3 python3.14; do \
	command -v $$each >/dev/null 2>&1 && $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { $$each -c 'import sys; print(sys._base_executable)'; break; }; done || true)

# Each core takes tests from the others when it has done its own.
ON_ALL_CORES := --numprocesses auto --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help run up down status logs test unit integration e2e lint types imports fmt bench build clean ready preconditions

help: ## list the targets
	@echo "StreamSpace on AWS. PORT=… sets the port of run and up (8080)."
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ready ## start the whole platform on this machine and stay; Ctrl-C stops it
	@exec $(BIN)/python -m local.stack run

up: ready ## the same in the background
	@$(BIN)/python -m local.stack up

down: ready ## stop what up (or run) started; the data is kept
	@$(BIN)/python -m local.stack down

status: ready ## whether it runs, where, and how its parts are
	@$(BIN)/python -m local.stack status

logs: ready ## follow the logs of all parts
	@$(BIN)/python -m local.stack logs

test: lint types imports unit integration e2e ## everything: lint, types, imports, unit, integration, e2e

unit: ready ## the unit tests: no AWS, no servers but those in the test's own process
	$(BIN)/pytest tests/unit $(ON_ALL_CORES)

integration: ready ## the platform on a simulated AWS in the test's process
	$(BIN)/pytest tests/integration $(ON_ALL_CORES)

e2e: ready ## the platform on two local stacks, which are started if none runs
	$(BIN)/pytest tests/e2e --numprocesses 2 --dist loadfile

lint: ready ## ruff: faults and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: ready ## mypy
	$(BIN)/mypy

imports: ready ## import-linter: which part may use which
	$(BIN)/lint-imports

fmt: ready ## put the code into its usual form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: ready ## the benchmarks
	$(BIN)/python -m bench

build: ready ## build the CloudFormation template and its artifacts into .build/
	$(BIN)/python -m infra.build

clean: ## remove everything that was made here: environment, builds, the local stack's data
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m local.stack down; fi
	@for tests in .local/gw*/; do if [ -d "$$tests" ] && [ -x $(BIN)/python ]; then STREAMSPACE_LOCAL="$$tests" $(BIN)/python -m local.stack down; fi; done
	rm -rf $(VENV) $(VENV).lock .build .local tests/sdk/*/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# The environment is made anew when a requirement, the Python, or a killed earlier attempt asks for it.
ready: preconditions
	@"$(PYTHON)" local/environment.py $(VENV) requirements-dev.txt --editable .

preconditions:
	@PYTHON="$(PYTHON)" sh local/preconditions.sh
