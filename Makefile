# The verbs of this repository. Needs Python 3.11 or newer, git and make; everything else comes from PyPI into
# `.tools` (uv) and `.venv` (Treadle and what it needs), both beside this file and both safe to delete.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
unexport PYTHONDONTWRITEBYTECODE VIRTUAL_ENV
SHELL := /bin/sh

UV_VERSION := 0.13.8
UV := .tools/bin/uv
UV_READY := .tools/.uv-$(UV_VERSION)
BIN := .venv/bin
JOBS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
ARGS ?=

# The first interpreter on the path that is new enough; `make PYTHON=/path/to/python …` names another.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$name && break; done)

# The locked versions as they are, with this interpreter and no other. Compiled now: a process that starts from sources
# alone pays 0.1 to 1 s for it, and tests and demo start many.
SYNC = UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=.venv UV_COMPILE_BYTECODE=1 $(UV) sync --quiet --frozen --python "$(PYTHON)"

.PHONY: help
help: ## list these verbs
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: .venv/.demo-ready ## the whole loop on a year of real flights: report, timeline, three commands to try
	@$(BIN)/treadle demo $(ARGS)

.PHONY: test
test: .venv/.ready ## pass every test (ARGS="tests/ground -k digest" for some of them)
	@$(BIN)/pytest -n $(JOBS) --dist worksteal $(ARGS)

.PHONY: check
check: static test ## everything that must hold before a commit: static, then test

.PHONY: static
static: .venv/.ready ## lint, format, strict types, the import plan, fresh reference pages
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "some files are not formatted: make format"; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache --config pyproject.toml
	@$(BIN)/python -m tools.reference --check

.PHONY: bench
bench: .venv/.ready ## run the benchmarks, one question each (ARGS="startup --json" for one of them)
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: soak
soak: .venv/.ready ## the long randomized suites: thousands of kills, then resume
	@$(BIN)/pytest -m soak --timeout 0 $(ARGS)

.PHONY: docs
docs: .venv/.ready ## write the reference pages anew from the code
	@$(BIN)/python -m tools.reference

.PHONY: format
format: .venv/.ready ## format the code and mend what ruff can mend
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

.PHONY: clean
clean: ## remove what these verbs made: .venv, .tools, caches, the demo
	rm -rf .venv .tools .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache dist build treadle-demo
	find src tests tools benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# -- set-up ----------------------------------------------------------------------------------------------------------

$(UV_READY):
	@test -n "$(PYTHON)" || { \
		echo "No Python 3.11 or newer was found on the path." >&2; \
		echo "Install one (on Debian: apt install python3 python3-venv), or name it: make PYTHON=/path/to/python" >&2; \
		exit 1; }
	@echo "setting up .tools (uv $(UV_VERSION))"
	@"$(PYTHON)" -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
	@touch $@

# Everything that the tests need.
.venv/.ready: $(UV_READY) uv.lock pyproject.toml
	@echo "setting up .venv"
	@$(SYNC)
	@touch .venv/.ready .venv/.demo-ready

# Only what the demo needs; leaves in place what is there already.
.venv/.demo-ready: $(UV_READY) uv.lock pyproject.toml
	@echo "setting up .venv"
	@$(SYNC) --no-default-groups --extra demo --inexact
	@touch .venv/.demo-ready
