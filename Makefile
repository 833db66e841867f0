# One definition of every command: people and CI call the same targets. `make help` lists them.
# Needs python3 (3.11 or newer), pip, make and a registry to install from; everything else goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
# What the signals are compared with stays out of .venv.
BENCH := .venv-bench

# The demo: empty means the default of `realreach demo`.
CREATORS ?=
PORT ?= 3000

# An index that answers slowly is no error, certificates are those the machine trusts, and no interpreter is fetched:
# the one that made .venv is used.
export UV_HTTP_TIMEOUT ?= 180
export UV_SYSTEM_CERTS ?= true
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export UV_PYTHON_DOWNLOADS := never
# Where Python may write no compiled files itself, every start would compile all libraries anew: a minute once instead.
ifdef PYTHONDONTWRITEBYTECODE
export UV_COMPILE_BYTECODE := 1
endif
# Neither library reports to its makers.
export BENTOML_DO_NOT_TRACK := True
export MLFLOW_DISABLE_TELEMETRY := true

CODE := $(wildcard features training serving realreach.py tests notebooks)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run setup setup-dev browser postgres nginx test lint format bench lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup ## set up, then simulated creators, models, catalogue and the page on 127.0.0.1 (CREATORS=N, PORT=3000)
	$(BIN)/realreach demo $(if $(CREATORS),--creators $(CREATORS)) --port $(PORT)

# a file on each core, so that a library's own threads would only wait for each other
test: setup-dev browser postgres nginx ## set up, then run every test, a file on a core (ARGS="-k words" passes options to pytest)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup-dev ## ruff, mypy, bandit, the arrows between the rooms, and known faults of what is locked
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml $(filter-out tests notebooks,$(CODE))
	@$(BIN)/pip-audit --requirement requirements.lock --require-hashes --disable-pip --progress-spinner off \
		> $(VENV)/audit.txt 2>&1 || { cat $(VENV)/audit.txt; exit 1; }
	@head -n 1 $(VENV)/audit.txt
	@unseen=$$(grep -c 'could not be audited' $(VENV)/audit.txt); [ "$$unseen" = 0 ] || \
		echo "$$unseen locked packages could not be audited: the index here does not tell of faults"

format: setup-dev ## put the code into the one format
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench: $(BENCH)/.bench ## the signals beside polars, DuckDB, pandas and tsfresh (ARGS="--creators 2000"), then the service
	$(BENCH)/bin/realreach benchmark signals $(ARGS)
	$(BENCH)/bin/realreach benchmark service

setup: $(VENV)/.run ## the virtual environment that runs the program
setup-dev: $(VENV)/.dev ## the same, with what tests and checks need

lock: $(VENV)/.tools ## resolve the dependencies of pyproject.toml anew (UPGRADE=1 takes the newest allowed)
	$(UV) pip compile $(COMPILE) pyproject.toml --extra dev -o requirements-dev.lock
	$(UV) pip compile $(COMPILE) pyproject.toml -c requirements-dev.lock -o requirements.lock
	$(UV) pip compile $(COMPILE) pyproject.toml --extra bench -c requirements-dev.lock -o requirements-bench.lock

clean: ## remove what make and the tools made; .realreach (models, runs, decisions) stays
	rm -rf $(VENV) $(BENCH) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis __pycache__
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# The locks hold hashes and no index address: whoever installs brings an index of their own.
COMPILE := --quiet --generate-hashes --universal --python-version 3.11 \
	--no-header --no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)

# uv does not read pip's configuration: where only pip knows the way to an index, pip installs the same hashes, slower.
install = $(UV) pip install --quiet --python $(or $(2),$(BIN))/python --require-hashes -r $(1) || { \
	echo "uv could not install $(1); trying pip, which takes a minute or two"; \
	$(or $(2),$(BIN))/python -m pip install --quiet --require-hashes -r $(1); }
# Built with the setuptools that is already there by hash, so nothing unhashed is fetched for the build.
install-project = $(UV) pip install --quiet --python $(or $(1),$(BIN))/python --no-deps --no-build-isolation --editable .

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version)'
	$(PYTHON) -m venv $(VENV)

# The two tools that install the rest come first, at the version and hashes that requirements-dev.lock gives them.
$(VENV)/.tools: requirements-dev.lock | $(BIN)/python
	awk '/^[^ ]/ {keep = /^(uv|setuptools)==/} keep' requirements-dev.lock > $(VENV)/tools.lock
	$(BIN)/python -m pip install --quiet --require-hashes -r $(VENV)/tools.lock
	touch $@

$(VENV)/.run: requirements.lock pyproject.toml $(VENV)/.tools
	@echo "setting up $(VENV) from requirements.lock"
	@$(call install,requirements.lock)
	@$(call install-project)
	@touch $@

# requirements.lock is resolved with requirements-dev.lock as its constraint, so all of it is in there.
$(VENV)/.dev: requirements-dev.lock requirements.lock pyproject.toml $(VENV)/.tools
	@echo "setting up $(VENV) from requirements-dev.lock"
	@$(call install,requirements-dev.lock)
	@$(call install-project)
	@touch $(VENV)/.run $@

$(BENCH)/.bench: requirements-bench.lock pyproject.toml $(VENV)/.tools
	@echo "setting up $(BENCH) from requirements-bench.lock"
	@test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	@$(call install,$(VENV)/tools.lock,$(BENCH)/bin)
	@$(call install,requirements-bench.lock,$(BENCH)/bin)
	@$(call install-project,$(BENCH)/bin)
	@touch $@

# Tests of the page need a Chromium; where none can be had they are skipped and say so.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing Chromium for the tests of the page"; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium \
			fonts-dejavu-core; } >/dev/null || echo "no Chromium could be installed: the tests of the page will be skipped"; \
	else \
		echo "no Chromium found: the tests of the page will be skipped (on Debian: sudo apt-get install chromium)"; \
	fi

# Tests of the shared database need a PostgreSQL of their own; where none can be had they are skipped and say so.
postgres:
	@command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing PostgreSQL for the tests of the shared database"; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql; } \
			>/dev/null || echo "no PostgreSQL could be installed: the tests of the shared database will be skipped"; \
	else \
		echo "no PostgreSQL found: the tests of the shared database will be skipped (on Debian: sudo apt-get install postgresql)"; \
	fi

# The test of several machines behind one address needs an nginx; where none can be had it is skipped and says so.
nginx:
	@command -v nginx >/dev/null || ls /usr/sbin/nginx >/dev/null 2>&1 || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing nginx for the test of several machines"; \
		{ apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			nginx-light; } >/dev/null || echo "no nginx could be installed: the test of several machines will be skipped"; \
	else \
		echo "no nginx found: the test of several machines will be skipped (on Debian: sudo apt-get install nginx-light)"; \
	fi
