# `make demo` and `make test` do all set-up themselves; they need python3 (3.11 or newer, with venv) and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SPARK := .venv-spark

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-engines test-postgres test-spark test-identity lint types check bench bench-cohort generated documents clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

demo: $(VENV)/ready  ## the main job on real input: graph, screening, tables, HTML report
	$(BIN)/sle-kg demo

test: $(VENV)/ready  ## every test that needs neither npm nor a JDK
	$(BIN)/pytest -n 2 --dist worksteal

test-slow: $(VENV)/ready  ## the tests that take minutes: documents, every case by every engine, mutants, long properties
	$(BIN)/pytest -n 2 --dist worksteal -m slow

test-engines: $(VENV)/ready-engines  ## the same verdicts from other SHACL engines
	$(BIN)/pytest tests/engines

test-postgres: $(VENV)/ready-postgres  ## the plan and OMOP on a PostgreSQL server that starts for these tests
	$(BIN)/pytest -n 2 --dist worksteal tests/postgres

test-spark: $(SPARK)/ready  ## features, plan and cohorts on Spark; installs it with its Java beside the rest
	SLE_KG_LOOPBACK=1 $(SPARK)/bin/pytest tests/spark

test-identity: $(VENV)/ready-engines  ## long random comparisons: 10,000 patients and random criteria before every engine
	$(BIN)/pytest -n 2 tests/identity

lint: $(VENV)/ready  ## style of the Python code
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/ready  ## static types, strict
	$(BIN)/mypy

check: $(VENV)/ready  ## ontology, trial files, shapes and queries
	$(BIN)/sle-kg check

bench: $(VENV)/ready  ## the table of benchmarks/README.md
	$(BIN)/python -m benchmarks

bench-cohort: $(VENV)/ready-bench  ## the table of cohorts in benchmarks/README.md: a million patients, about three quarters of an hour
	$(BIN)/python -m benchmarks.cohort

generated: $(VENV)/ready  ## renew the committed files that are made from others: shapes, inferred types
	$(BIN)/python -m sle_kg.shapes
	$(BIN)/python -m sle_kg.reason

documents: $(VENV)/ready  ## write the real outputs into README.md and docs/
	$(BIN)/python tests/documents.py

clean:  ## remove everything that the targets made
	rm -rf $(VENV) $(SPARK) build dist src/*.egg-info sle-kg-demo .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/ready: pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'sle-kg needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,reason]'
	touch $@

$(VENV)/ready-engines: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[engines]'
	touch $@

$(VENV)/ready-postgres: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test-postgres]'
	touch $@

$(VENV)/ready-bench: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench,spark]'
	touch $@

$(SPARK)/ready: pyproject.toml setup.py
	$(PYTHON) -m venv $(SPARK)
	$(SPARK)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test,spark]'
	touch $@
