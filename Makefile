# make run    everything on this machine, with a demonstration call, until Ctrl-C
# make test   the whole suite, on real Asterisk, mosquitto and PostgreSQL
# make check  the fast part: lint, types, unit tests
# make test-load  thousands of real calls, in peace and with faults; a quarter of an hour
#
# Each of them first makes the machine ready (config/setup/bootstrap.sh); what is ready is left as it is.

SHELL := /bin/bash
BIN := .venv/bin
# integration tests mostly wait for programs, so more of them run at once than there are processors
WORKERS ?= 4

.PHONY: run test test-load check lint setup clean
.DEFAULT_GOAL := check

setup:
	@config/setup/bootstrap.sh

# exec: Ctrl-C and signals reach the program itself, which stops what it started
run: setup
	@exec $(BIN)/trunkline demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint
	$(BIN)/pytest -m "not integration" -n $(WORKERS)

test: lint
	$(BIN)/pytest -n $(WORKERS)

test-load: setup
	$(BIN)/python -m tests.acceptance.run $(SCENARIOS)

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
