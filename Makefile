# The verbs. The first one that needs it makes .venv; after that it is reused until pyproject.toml changes.

VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# Ask for another one with `make PYTHON=/path/to/python test`.
PYTHON ?= $(shell for candidate in python3 python3.13 python3.12 python3.11 python; do \
	$$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$candidate && break; done)

.DEFAULT_GOAL := help
.PHONY: help demo demo-issues demo-mails serve test serve-test matrix operations bench lint format type build lock clean bench-correctness soak

help:  ## Show the verbs
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 26

demo: $(VENV)/.package  ## Watch an agent being stopped, failing, and undone; offline
	@if [ -t 0 ]; then $(BIN)/agentrein demo; else $(BIN)/agentrein demo --yes; fi

demo-issues: $(VENV)/.emulators  ## Watch an agent tidy the wrong issues on an emulator of GitHub, and be taken back
	@if [ -t 0 ]; then $(BIN)/agentrein demo --issues; else $(BIN)/agentrein demo --issues --yes; fi

demo-mails: $(VENV)/.emulators  ## Watch an agent write to 200 people instead of 12, and nothing leave
	@if [ -t 0 ]; then $(BIN)/agentrein demo --mails; else $(BIN)/agentrein demo --mails --yes; fi

test: $(VENV)/.emulators  ## Run every test; a PostgreSQL comes along
	PYTEST_TIMEOUT=$${PYTEST_TIMEOUT:-120} $(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

soak: $(VENV)/.emulators  ## Kill agents at every boundary, for five minutes; ARGS="--minutes 60", 0 for everything once
	$(BIN)/python -W ignore -m tests.lab $(ARGS)

serve: $(VENV)/.test  ## Serve the demo's agent with LangGraph's own server, on 127.0.0.1:2024
	$(BIN)/langgraph dev --no-browser --no-reload --host 127.0.0.1 $(ARGS)

serve-test: $(VENV)/.test  ## Run the tests on LangGraph's own server, and no others
	PYTEST_TIMEOUT=$${PYTEST_TIMEOUT:-120} $(BIN)/python -m pytest tests/integration_tests/server $(ARGS)

bench: $(VENV)/.bench  ## Measure what it costs, beside its neighbours, and keep the table
	PYTHONPATH=$(VENV)/peers $(BIN)/python -W ignore -m benchmarks $(ARGS)

bench-correctness: $(VENV)/.bench  ## Count what goes wrong in scripted accidents, beside the neighbours, and keep the table
	PYTHONPATH=$(VENV)/peers $(BIN)/python -W ignore -m benchmarks.correctness $(ARGS)

matrix: $(VENV)/.test  ## Renew the table of docs/compatibility.md from the tests that it tells of
	$(BIN)/python -m tests.integration_tests.neighbours.matrix

operations: $(VENV)/.test  ## Renew the tables of docs/github.md, docs/gmail.md and docs/proxy.md from the operations
	$(BIN)/python -m tests.integration_tests.toolkits.github.table
	$(BIN)/python -m tests.integration_tests.toolkits.gmail.table

lint: $(VENV)/.dev  ## Check style, and that imports point one way
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

format: $(VENV)/.dev  ## Put style right
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

type: $(VENV)/.dev  ## Check types
	$(BIN)/mypy langchain_agentrein $(wildcard tests/typing)

build: $(VENV)/.dev  ## Make the wheel and the source distribution in dist/
	rm -rf dist
	$(BIN)/python -m build

lock: $(VENV)/.made  ## Renew constraints.txt from what the requirements resolve to today
	rm -rf $(VENV)/lock
	$(BIN)/python -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	{ echo "# What the tests ran with, written by \`make lock\`."; \
		$(VENV)/lock/bin/python -m pip freeze --exclude-editable; } > constraints.txt
	rm -rf $(VENV)/lock

clean:  ## Remove whatever the other verbs made
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .grimp_cache .import_linter_cache .benchmarks .langgraph_api
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@if [ -z "$(PYTHON)" ]; then \
		echo "langchain-agentrein needs Python 3.11 or newer, and this machine's python3 is:" \
			"$$(python3 --version 2>&1 || true)." >&2; \
		echo "Install one, or name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; fi
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: its venv module is missing" \
			"(on Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.package: pyproject.toml constraints.txt | $(VENV)/.made
	$(PIP) --editable .
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/.made
	$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.package

# The vendors' emulators, by the npm that the Node from PyPI brings.
$(VENV)/.emulators: tests/emulators/package-lock.json $(VENV)/.test
	mkdir -p $(VENV)/emulators
	cp tests/emulators/package.json tests/emulators/package-lock.json $(VENV)/emulators
	$(BIN)/python -m tests.emulators $(VENV)/emulators
	@touch $@

# The neighbours in a folder of their own, which nothing else sees: one of them brings a pytest plugin along.
$(VENV)/.bench: benchmarks/requirements.txt $(VENV)/.test
	rm -rf $(VENV)/peers
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(VENV)/peers \
		--requirement benchmarks/requirements.txt
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.made
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.test $(VENV)/.package
