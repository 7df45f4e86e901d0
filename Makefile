# The front door: `make` alone prints what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help install run test test-slow test-full lint compile compile-check docs lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# One stamp stands for "the environment matches the lock"; every target that needs it depends on it.
$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v[:2] <= (3, 13) else "tuneline needs Python 3.11 to 3.13, and this is %d.%d: make PYTHON=python3.12 ..." % v[:2])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

install: $(VENV)/.installed ## make the environment (.venv) from the lock

run: install ## tune a model end to end on the local Vertex AI
	$(BIN)/tuneline run tune-large-model --local --config examples/numbers.yaml --stop-local

test: install ## install, and run all tests but the slow ones
	$(BIN)/python -m pytest -n 2 -m "not slow and not full"

test-slow: install ## the slower tests
	$(BIN)/python -m pytest -n 2 -m slow

test-full: install ## the long forms: hundreds of kills, a thousand schedules; about an hour
	$(BIN)/python -m pytest -s -m full

lint: install ## ruff
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

compile: install ## write compiled/ from components/ and pipelines/
	$(BIN)/python -m pipelines.compile

compile-check: compile ## fail if compiled/ is not what components/ and pipelines/ say
	git diff --exit-code -- compiled src/tuneline/components.pyi src/tuneline/pipelines.pyi

docs: install ## write the pages that are made from the code
	$(BIN)/python -m tuneline.cli.reference > docs/.command-line.md
	mv docs/.command-line.md docs/command-line.md
	$(BIN)/python -m tuneline.local.reference docs/local-vertex.md

lock: install ## make requirements.lock again from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate pyproject.toml --extra dev -o requirements.lock

clean: ## remove the environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis dist
