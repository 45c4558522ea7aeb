# Everything from a fresh clone: needs make and Python 3.11 or newer (with venv), nothing else.
# `make demo` and `make test` are the two to know; PORT and DATA_DIR choose another address and place.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo run test test-citus check bench bench-quick fmt screenshots lock browser clean

# The newest of the usual names that is at least 3.11; `python3` first, because that is the one people mean.
FIND_PYTHON = for python in $(PYTHON) python3 python3.13 python3.12 python3.11 python3.14; do \
	  "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	  python=; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Python 3.11 or newer with venv is needed (on Debian: apt-get install python3 python3-venv)." >&2; \
	  echo "If it has another name, say so: make PYTHON=/path/to/python3 …" >&2; \
	  exit 1; \
	fi

# The lock files name every package; what extras of them need (pydantic[email]), pip would not find pinned.
PIP = .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes --no-deps

# Tests start dozens of programs, and pytest rewrites thousands of modules: what was compiled is kept, also where images say not to.
export PYTHONDONTWRITEBYTECODE :=

# Where the tests that kill servers lie; collecting all the others takes as long as many of them.
FAULTS = tests/faults tests/usage_dashboard/machine

# The check of migrations compares files with files; that no database is there to ask as well is no news.
WITHOUT_DATABASE = -W "ignore:Got an error checking a consistent migration history:RuntimeWarning"

help:
	@echo "make demo         everything, with a demo enterprise in it, at http://localhost:8000 (PORT=… for another)"
	@echo "make run          everything, empty: for real, in another DATA_DIR than the demo"
	@echo "make test         the whole test suite      make check        style, types, imports, migrations, templates"
	@echo "make test-citus CITUS_URL=postgres://…  the same on a Citus cluster of yours"
	@echo "make bench        speed, beside its limits  make bench-quick  the same in a few minutes"
	@echo "make fmt          format the code           make screenshots  pictures of the pages"
	@echo "make lock         resolve requirements*.lock again from pyproject.toml"

demo: .venv/installed
	@exec .venv/bin/python manage.py demo

run: .venv/installed
	@exec .venv/bin/python manage.py run

# Side by side, a file at a time: first all that is quick, then what kills servers. What measures others beside something runs alone.
test: .venv/installed-dev browser
ifdef PYTEST_ARGS
	.venv/bin/python -m pytest $(PYTEST_ARGS)
else
	.venv/bin/python -m pytest -m "not faults" --numprocesses auto --dist loadfile
	.venv/bin/python -m pytest -m "faults and not alone" --numprocesses auto --maxprocesses 4 --dist loadfile $(FAULTS)
	.venv/bin/python -m pytest -m alone $(FAULTS)
endif

# On a coordinator that knows its workers; its servers, which are on this machine, are killed afterwards. What starts PostgreSQL
# itself, or opens a browser, is left out.
test-citus: .venv/installed-dev
ifdef CITUS_URL
	DATABASE_URL="$(CITUS_URL)" CITUS_URL="$(CITUS_URL)" .venv/bin/python -m pytest --numprocesses auto --dist loadfile \
	  -m "not faults and not browser" $(or $(PYTEST_ARGS),tests/accounts tests/apikeys tests/billing tests/exports tests/metering)
ifndef PYTEST_ARGS
	DATABASE_URL="$(CITUS_URL)" CITUS_URL="$(CITUS_URL)" .venv/bin/python -m pytest -m faults tests/faults/test_cluster.py
endif
else
	@echo "Skipped: there is no CITUS_URL, the address of a database on the coordinator of a Citus cluster."
endif

check: .venv/installed-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy .
	.venv/bin/lint-imports
	.venv/bin/python -m tests.shape
	.venv/bin/python $(WITHOUT_DATABASE) manage.py makemigrations --check --dry-run
	.venv/bin/djlint templates --lint --quiet
	@! git grep -nE "^(<<<<<<<|>>>>>>>) " || { echo "A merge was left half-done." >&2; exit 1; }

bench: .venv/installed-dev
	.venv/bin/python -m benchmarks

bench-quick: .venv/installed-dev
	.venv/bin/python -m benchmarks --quick

fmt: .venv/installed-dev
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
	.venv/bin/djlint templates --reformat --quiet

screenshots: .venv/installed-dev browser
	.venv/bin/python -m tests.screenshots

lock: .venv/installed-dev
	.venv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --output-file requirements.lock pyproject.toml
	.venv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --extra dev \
	  --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml

# Removes what was installed; the data under var/ stays.
clean:
	rm -rf .venv

.venv/made:
	@$(FIND_PYTHON); echo "Making .venv with $$("$$python" --version)"; "$$python" -m venv .venv
	@touch .venv/made

.venv/installed: requirements.lock | .venv/made
	@echo "Installing the locked packages into .venv (once) …"
	@$(PIP) --requirement requirements.lock
	@touch .venv/installed

.venv/installed-dev: requirements-dev.lock | .venv/made
	@echo "Installing the locked packages and the tools for development into .venv (once) …"
	@$(PIP) --requirement requirements-dev.lock
	@touch .venv/installed .venv/installed-dev

browser:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null 2>&1 && exit 0; done; \
	if command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ]; then \
	  echo "Installing chromium for the browser tests (once) …"; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  { apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium; } >/dev/null; \
	else \
	  echo "The browser tests need Chromium: install the package “chromium” (as root: apt-get install chromium)." >&2; \
	  exit 1; \
	fi
