# `make demo` and `make test` are all that a newcomer needs; both make what they stand on. Root or not, nothing outside
# this folder and a cache of downloaded servers (~/.cache/wireproxy, /var/cache/wireproxy for root) is changed.
SHELL = /bin/sh
VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check
COMPILED ?= .venv-compiled
PYTEST_ARGS ?=
# a worker for each core, up to four; a file's tests stay together, for they share servers and gateways; the longest files first
PYTEST = $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder
BENCH_ARGS ?=
# an environment with everything also serves the demo: do not install twice
DEMO_READY = $(if $(wildcard $(VENV)/.ready-all),$(VENV)/.ready-all,$(VENV)/.ready-demo)

.PHONY: help demo test check bench bench-mysql bench-judging bench-masking bench-masking-mysql compiled check-compiled regress format clean
help:
	@echo "make demo     a guided tour: embedded PostgreSQL, the gateway, a driver, a DBA"
	@echo "make test     every test, against real servers"
	@echo "make check    ruff, mypy --strict, the import rule"
	@echo "make bench    pgbench: directly, through pgbouncer, through the gateway"
	@echo "make bench-mysql    sysbench: MariaDB directly, and through the gateway"
	@echo "make bench-judging  what judging costs, beside the bare parsers"
	@echo "make bench-masking  a million rows with a masked column: directly, through the gateway, masked"
	@echo "make bench-masking-mysql  the same for MariaDB, or MySQL with BENCH_ARGS='--server mysql'"
	@echo "make compiled the gateway in $(COMPILED), its hot modules compiled by mypyc"
	@echo "make check-compiled the gateway compiled, and what clients of both dialects do with it"
	@echo "make regress  all of PostgreSQL's own regression files, directly and through the gateway"
	@echo "make clean    removes what these made in this folder"

demo: $(DEMO_READY)
	$(BIN)/wireproxy demo

test: $(VENV)/.ready-all
	$(PYTEST) $(PYTEST_ARGS)

check: $(VENV)/.ready-all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_imports.py

# the gateway that is measured runs from an environment of its own, its hot modules compiled where there is a C compiler
bench: $(VENV)/.ready-all compiled
	WIREPROXY_PYTHON=$(COMPILED)/bin/python $(BIN)/python -m bench.pgbench $(BENCH_ARGS)

bench-mysql: $(VENV)/.ready-all compiled
	WIREPROXY_PYTHON=$(COMPILED)/bin/python $(BIN)/python -m bench.sysbench $(BENCH_ARGS)

bench-judging: $(VENV)/.ready-all
	$(BIN)/python -m bench.judging
	$(BIN)/python -m bench.judging_mysql

bench-masking: $(VENV)/.ready-all compiled
	WIREPROXY_PYTHON=$(COMPILED)/bin/python $(BIN)/python -m bench.masking $(BENCH_ARGS)

bench-masking-mysql: $(VENV)/.ready-all compiled
	WIREPROXY_PYTHON=$(COMPILED)/bin/python $(BIN)/python -m bench.masking_mysql $(BENCH_ARGS)

compiled: | $(COMPILED)/bin/python
	$(COMPILED)/bin/python -m pip install --disable-pip-version-check -q 'setuptools>=77' mypy '.[demo,store-postgres]'
	WIREPROXY_COMPILE=$$(command -v cc >/dev/null && echo 1 || echo 0) $(COMPILED)/bin/python -m pip install \
		--disable-pip-version-check -q --no-build-isolation --no-deps --force-reinstall .
	rm -rf build

# mypyc checks at run time what mypy takes on trust: a build that starts is not yet one that serves
check-compiled: $(VENV)/.ready-all compiled
	WIREPROXY_COMPILED=1 PYTHONPATH=$$($(COMPILED)/bin/python -c 'import sysconfig; print(sysconfig.get_path("platlib"))') \
		$(BIN)/python -P -m pytest -n auto --import-mode=append -o pythonpath= tests/protocols tests/rules/test_detection.py \
		tests/rules/test_lanes.py tests/rules/test_maskers.py tests/rules/test_mysql_masked_together.py \
		tests/rules/test_pseudonym_types.py
	WIREPROXY_PYTHON=$(COMPILED)/bin/python $(PYTEST) tests/integration/test_refusing.py tests/integration/test_psycopg.py \
		tests/integration/test_holding.py tests/integration/test_masking_canary.py tests/integration/test_mysql_serving.py \
		tests/integration/test_mysql_clients_programs.py

$(COMPILED)/bin/python:
	PYTHON=$(PYTHON) .ci/venv $(COMPILED)

regress: $(VENV)/.ready-all
	$(BIN)/python -m pytest --timeout 3600 -s tests/integration/test_regress.py

format: $(VENV)/.ready-all
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(COMPILED) build .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	PYTHON=$(PYTHON) .ci/venv $(VENV)

$(VENV)/.ready-demo: pyproject.toml | $(BIN)/python
	$(PIP) install -q -e '.[demo]'
	@touch $@

$(VENV)/.ready-all: pyproject.toml | $(BIN)/python
	$(PIP) install -q -e '.[demo,store-postgres,test,dev]'
	@touch $@
