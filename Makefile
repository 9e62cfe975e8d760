# The verbs of this repository. Needs Python 3.11 or newer, git and make; everything else comes from PyPI into
# `.tools` (uv), `.venv` (Treadle and what it needs), `.peers` (stock MLflow and friends, to be compared with),
# `.peers-data` (Feast, Great Expectations) and `.peers-serve` (MLServer, KServe), all beside this file and safe to delete.

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

# The built pages; made anew when their sources changed.
PAGES := src/treadle/faces/api/web/bundle/index.html.gz
WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -type f -print)

# The locked versions as they are, with this interpreter and no other. Compiled now: a process that starts from sources
# alone pays 0.1 to 1 s for it, and tests and demo start many.
SYNC = UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=.venv UV_COMPILE_BYTECODE=1 $(UV) sync --quiet --frozen --python "$(PYTHON)"
PEERS = UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 $(UV)

.PHONY: help
help: ## list these verbs
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: .venv/.demo-ready $(PAGES) ## the whole loop on a year of real flights: report, timeline, three commands to try
	@$(BIN)/treadle demo $(ARGS)

.PHONY: test
test: .venv/.ready $(PAGES) ## pass every test (ARGS="tests/ground -k digest" for some of them)
	@$(MAKE) --silent --no-print-directory chromium
	@$(MAKE) --silent --no-print-directory .peers/.ready || \
		echo "no .peers: the tests that need stock clients (tests/peers) are skipped, each by its name" >&2
	@$(BIN)/pytest -n $(JOBS) --dist worksteal $(ARGS)

# The browser that tests/browser drives comes from Debian where it may; else those tests are skipped, each by its name.
.PHONY: chromium
chromium:
	@command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || { \
		test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "installing chromium-headless-shell" && \
		{ apt-get install -qq -y chromium-headless-shell >/dev/null 2>&1 || { apt-get update -qq && \
		apt-get install -qq -y chromium-headless-shell; } >/dev/null 2>&1; }; } || \
		echo "no Chromium: tests/browser is skipped, each test by its name (apt install chromium-headless-shell)" >&2

.PHONY: check
check: static test ## everything that must hold before a commit: static, then test

.PHONY: static
static: .venv/.ready ## lint, format, strict types, the import plan, fresh reference pages
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "some files are not formatted: make format"; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache --config pyproject.toml
	@$(BIN)/python -m tools.reference --check
	@$(BIN)/python -m tools.web check

.PHONY: bench
bench: .venv/.ready ## run the benchmarks, one question each (ARGS="startup --json" for one of them)
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: bench-peers
bench-peers: .venv/.ready .peers/.ready .peers-data/.ready .peers-monitoring/.ready .peers-serve/.ready ## the benchmarks side by side with MLflow, Feast and others (ARGS="tracking --json")
	@$(BIN)/python -m benchmarks --peers $(ARGS)

.PHONY: soak
soak: .venv/.ready .peers-serve/.ready ## the long randomized suites: thousands of kills, then resume; clients of KServe
	@$(BIN)/pytest -m "soak or needs_kserve" --timeout 0 $(ARGS)

.PHONY: docs
docs: .venv/.ready ## write the reference pages anew from the code
	@$(BIN)/python -m tools.reference

.PHONY: web
web: .venv/.demo-ready ## build the web application into the package, for a checkout
	@$(BIN)/python -m tools.web_bundle

.PHONY: web-types
web-types: .venv/.ready ## write the web application's types of the API anew from the verbs
	@$(BIN)/python -m tools.web types

.PHONY: format
format: .venv/.ready ## format the code and mend what ruff can mend
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

.PHONY: clean
clean: ## remove what these verbs made: .venv, .tools, caches, the demo
	rm -rf .venv .peers .peers-data .peers-monitoring .peers-serve .tools .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache dist build treadle-demo web/node_modules web/dist $(dir $(PAGES))
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
	@$(SYNC) --no-default-groups --group web --extra demo --inexact
	@touch .venv/.demo-ready

# With the Node that PyPI has, so that none of the system is needed.
$(PAGES): .venv/.demo-ready $(WEB_SOURCES)
	@echo "building the pages"
	@$(BIN)/python -m tools.web_bundle

# Stock MLflow and friends, in an environment of their own: they never share one with Treadle's own tests. Treadle is in it
# too, as it stands here, for the plug-in of `treadle://`.
.peers/.ready: $(UV_READY) tests/peers/requirements.txt
	@echo "setting up .peers"
	@$(PEERS) venv --quiet --allow-existing --python "$(PYTHON)" .peers
	@$(PEERS) pip sync --quiet --python .peers/bin/python tests/peers/requirements.txt
	@$(PEERS) pip install --quiet --python .peers/bin/python --no-deps --editable .
	@touch .peers/.ready

# What the data systems are measured against; benchmarks start it as a process, nothing of Treadle is in it.
.peers-data/.ready: $(UV_READY) benchmarks/peers/data-requirements.txt
	@echo "setting up .peers-data"
	@$(PEERS) venv --quiet --allow-existing --python "$(PYTHON)" .peers-data
	@$(PEERS) pip sync --quiet --python .peers-data/bin/python benchmarks/peers/data-requirements.txt
	@touch .peers-data/.ready

# What monitoring is measured against, likewise.
.peers-monitoring/.ready: $(UV_READY) benchmarks/peers/monitoring-requirements.txt
	@echo "setting up .peers-monitoring"
	@$(PEERS) venv --quiet --allow-existing --python "$(PYTHON)" .peers-monitoring
	@$(PEERS) pip sync --quiet --python .peers-monitoring/bin/python benchmarks/peers/monitoring-requirements.txt
	@touch .peers-monitoring/.ready

# MLServer, and KServe's clients: their pins clash with ours and with those of `.peers`.
.peers-serve/.ready: $(UV_READY) benchmarks/peers/serve-requirements.txt
	@echo "setting up .peers-serve"
	@$(PEERS) venv --quiet --allow-existing --python "$(PYTHON)" .peers-serve
	@$(PEERS) pip sync --quiet --python .peers-serve/bin/python benchmarks/peers/serve-requirements.txt
	@touch .peers-serve/.ready

.PHONY: peers-lock
peers-lock: $(UV_READY) ## pin the newest stock clients anew (tests/peers/requirements.txt)
	@$(PEERS) pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header --upgrade \
		pyproject.toml tests/peers/requirements.in --output-file tests/peers/requirements.txt
	@$(PEERS) pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header --upgrade \
		benchmarks/peers/data-requirements.in --output-file benchmarks/peers/data-requirements.txt
	@$(PEERS) pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header --upgrade \
		benchmarks/peers/monitoring-requirements.in --output-file benchmarks/peers/monitoring-requirements.txt
	@$(PEERS) pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header --upgrade \
		--override benchmarks/peers/serve-overrides.txt \
		benchmarks/peers/serve-requirements.in --output-file benchmarks/peers/serve-requirements.txt

.PHONY: peers-torch
peers-torch: .peers/.ready ## add PyTorch (CPU, about 1 GB) to .peers, for the tests that are skipped without it
	@$(PEERS) pip install --quiet --python .peers/bin/python --torch-backend cpu torch lightning
