# make plan   creates the environment, simulates a shop and makes its send plan
# make test   creates the environment and runs all tests
.DEFAULT_GOAL := help
.PHONY: help plan test evaluate lint types check ui mlflow lock clean

PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
export SENDPLAN_HOME ?= $(CURDIR)/data

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else "Sendplan needs Python 3.11 to 3.13, found %d.%d; choose one with: make plan PYTHON=python3.12" % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode requirements.lock
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

plan: $(STAMP) ## simulate a shop and make its send plan
	$(BIN)/sendplan demo

# Tests run in one process per core (pyproject.toml): more threads would only wait for each other.
test: export OMP_NUM_THREADS = 1
test: export POLARS_MAX_THREADS = 1
test: $(STAMP) ## run all tests
	$(BIN)/pytest

lint: $(STAMP) ## style and layout of the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## static types, strict in models/
	$(BIN)/mypy

check: lint types test ## all that the build server runs

evaluate: $(STAMP) ## judge every model beside its baselines on public data
	$(BIN)/sendplan evaluate $(TRIAL)

ui: $(STAMP) ## Dagster's pages at http://localhost:3000
	$(BIN)/sendplan ui dagster

mlflow: $(STAMP) ## MLflow's pages at http://localhost:5000
	$(BIN)/sendplan ui mlflow

lock: $(STAMP) ## renew requirements.lock from pyproject.toml
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --extra dev pyproject.toml --output-file requirements.lock

clean: ## remove the environment and all state
	rm -rf $(VENV) $(SENDPLAN_HOME)
