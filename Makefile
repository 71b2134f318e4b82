# The one door for people and CI. Each target makes its own set-up; see `make help`.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUN := run
# Tests wait more than they compute, so there are two processes of them for each processor. 0: all in
# one process, as bare pytest does it.
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 4 ? 2 * n : 8)))
SPREAD = -n $(WORKERS) --dist worksteal
# Tests start mailgate hundreds of times; it need not be compiled each time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup peers demo test torture soak cover goldens lint fmt fuzz bench run constraints clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with everything in it (again only when pyproject.toml or constraints.txt changed)

$(STAMP): pyproject.toml constraints.txt .ci/setup.sh
	@.ci/setup.sh $(VENV)
	@touch $@

peers: ## as root on Debian: install the real mail servers that tests talk to; elsewhere say what is missing
	@.ci/peers.sh

demo: setup ## see it work: a whole help desk on this machine, in a minute, with no servers of yours
	@$(BIN)/mailgate demo

test: setup peers ## run all tests, those against real peers included; WORKERS=1 when the machine is small
	$(BIN)/python -m pytest $(SPREAD)

torture: setup peers ## kill it for 10 minutes on both databases and let a judge join all ledgers
	$(BIN)/python -m tests.faults.torture

soak: setup peers ## 10 minutes without a kill while relay and IMAP flap: balanced books, flat memory
	$(BIN)/python -m tests.faults.torture --soak

cover: setup peers ## run all tests and show which lines they missed
	$(BIN)/python -m pytest $(SPREAD) --cov --cov-report=term-missing:skip-covered

goldens: setup ## renew the expected transcripts; read the diff before you commit it
	$(BIN)/python -m pytest --update-goldens -p no:randomly

lint: setup ## format check, ruff, mypy --strict, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: setup ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

fuzz: setup ## break mails for ten minutes and tell what did not hold
	$(BIN)/python -m tests.fuzz

bench: setup ## measure each hop and print a table
	$(BIN)/python -m bench

run: setup ## serve from a scratch configuration in ./run
	@test -f $(RUN)/config.toml || $(BIN)/mailgate init $(RUN)
	$(BIN)/mailgate --config $(RUN)/config.toml serve

constraints: ## renew constraints.txt: newest versions that pyproject.toml allows, from an empty environment
	@.ci/constraints.sh constraints.txt

clean: ## remove .venv, caches and build products; ./run, which may hold mail, stays
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -f .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
