# Headrace: every command sets itself up in .venv from the hashed locks; nothing else on the machine is changed.
# Needed: make and Python 3.11 or 3.12.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
export PYTHONUNBUFFERED := 1
# A run starts dozens of Python processes: without kept bytecode each would compile its libraries anew, for seconds.
export PYTHONDONTWRITEBYTECODE :=

VENV := .venv
RUN := $(VENV)/bin
LOCKS := locks/bootstrap.txt locks/dev.txt
# One stamp per content of the locks: another branch or a pulled change installs again, anything else does not.
SETUP := $(VENV)/.installed-$(shell cat $(LOCKS) pyproject.toml | cksum | tr ' ' -)
PYTEST := $(RUN)/pytest $(if $(CI),-v --durations=15,-q)

DURATION ?=
RATE ?= 500
DEMO_ARGS ?=
LOCK_ARGS ?=

define FIND_PYTHON
for candidate in $${PYTHON:-python3.11 python3.12 python3 python}; do \
  if "$$candidate" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null; then \
    python=$$candidate; break; \
  fi; \
done; \
if [ -z "$${python:-}" ]; then \
  echo "Headrace needs Python 3.11 or 3.12 (Flink has no wheel beyond) and found neither on the PATH."; \
  echo "  → install one, or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; \
  exit 3; \
fi >&2
endef

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

.PHONY: setup
setup: $(SETUP) ## make the environment .venv from the locks; the other targets do it by themselves

.PHONY: demo
demo: $(SETUP) ## run the sample pipelines with live figures and a final check (DURATION=60, RATE=500, DEMO_ARGS=…)
	@$(RUN)/python -m headrace_apps.demo $(if $(DURATION),--duration $(DURATION),) --rate $(RATE) $(DEMO_ARGS)

.PHONY: test
test: check ## run everything that continuous integration runs; needs no root
	@$(PYTEST) tests/unit tests/integration tests/e2e

.PHONY: check
check: $(SETUP) ## format, lint, strict types, layers
	@$(RUN)/ruff format --check .
	@$(RUN)/ruff check .
	@$(RUN)/mypy
	@$(RUN)/lint-imports

.PHONY: unit
unit: $(SETUP) ## unit and golden tests (under three minutes)
	@$(PYTEST) tests/unit

.PHONY: integration
integration: $(SETUP) ## tests on a real broker, registry, Flink cluster and stand-in
	@$(PYTEST) tests/integration

.PHONY: e2e
e2e: $(SETUP) ## the demo as a test, with parts killed while it runs
	@$(PYTEST) tests/e2e

.PHONY: golden-update
golden-update: $(SETUP) ## write the golden files anew; read the difference before you commit it
	@$(RUN)/pytest -q $$(grep -rl --include='test_*.py' '_regression' tests) --force-regen || true
	@git --no-pager diff --stat -- tests/golden docs/reference

.PHONY: bench
bench: $(SETUP) ## 2,000 events a second for a minute: end-to-end latency and the check
	@$(RUN)/python -m headrace_apps.demo --sample clickstream --duration $(or $(DURATION),60) --rate 2000 --steady $(DEMO_ARGS)

.PHONY: oracle
oracle: $(SETUP) ## 200,000 random events per format through real jobs, against DuckDB (EVENTS=200000)
	@HEADRACE_ORACLE_EVENTS=$(or $(EVENTS),200000) $(PYTEST) tests/integration/oracle

.PHONY: test-snowflake
test-snowflake: $(SETUP) ## the loader's tests on a real Snowflake account, given by SNOWFLAKE_… variables
	@$(RUN)/python tests/integration/loader/real_account.py

COMPILE := $(RUN)/uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url

.PHONY: lock
lock: $(SETUP) ## resolve every lock again (LOCK_ARGS=--upgrade for newer versions)
	@$(COMPILE) $(LOCK_ARGS) --universal --python-version 3.11 locks/bootstrap.in -o locks/bootstrap.txt
	@$(COMPILE) $(LOCK_ARGS) --universal --python-version 3.11 --all-extras --group dev pyproject.toml -o locks/dev.txt
	@$(COMPILE) $(LOCK_ARGS) --universal --python-version 3.11 locks/snowflake-stand-in.in -o locks/snowflake-stand-in.txt
	@$(COMPILE) $(LOCK_ARGS) --universal --python-version 3.11 flink_jobs/requirements.in -o flink_jobs/requirements.txt
	@git --no-pager diff --stat -- locks flink_jobs/requirements.txt

.PHONY: clean
clean: ## remove what was built and run here; downloads in the user's cache folder stay
	@rm -rf $(VENV) .headrace .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip only installs uv; uv installs the rest, from one lock, and takes out what the lock no longer has.
$(SETUP): $(LOCKS) pyproject.toml
	@$(FIND_PYTHON); \
	if ! $(RUN)/python -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null; then \
	  echo "setting up $(VENV) with $$("$$python" --version)"; \
	  rm -rf $(VENV); \
	  "$$python" -m venv $(VENV) || { echo "  → this Python has no venv module; on Debian: apt install python3-venv" >&2; exit 3; }; \
	fi; \
	if ! $(RUN)/uv --version >/dev/null 2>&1; then \
	  $(RUN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/bootstrap.txt; \
	fi
	@echo "installing the locked dependencies"
	@$(RUN)/uv pip sync --quiet --python $(VENV) --require-hashes locks/dev.txt
	@$(RUN)/uv pip install --quiet --python $(VENV) --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.installed-*
	@touch $@
