# Everything works from a fresh clone with Python 3.11 and make; a virtual environment lands in .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
ARGS ?=
BIN := .venv/bin
# Each bench answers one question; those that are there are run in this order.
BENCHES := $(foreach name,intake score_api score_bulk allocation train end_to_end quality csv_import identity soak,$(if $(wildcard bench/$(name).py),$(name)))
# Files of tests share the processors, and the servers that some of them start: more than a few side by side only wait for each other.
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --dist loadfile
# What `make run` hands to the service: the variables of .env, if there is one.
WITH_ENV := set -a; if [ -f .env ]; then . ./.env; fi; set +a;

.PHONY: install demo run test coverage lint bench chaos docs lock clean

install: .venv/installed

.venv/installed: requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Leadswitch wants Python 3.11 or later; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

demo: install
	$(BIN)/leadswitch demo $(ARGS)

run: install
	@$(WITH_ENV) $(BIN)/leadswitch up $(ARGS)

test: install
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(ARGS)

coverage: install
	rm -f .coverage .coverage.*
	$(BIN)/python -m pytest --cov --cov-report=term $(ARGS)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install
	@for name in $(BENCHES); do echo "== bench.$$name"; $(BIN)/python -m bench.$$name $(ARGS) || exit 1; done

# Kills processes in the middle of work and looks that nothing was lost or doubled.
chaos: install
	$(BIN)/python -m pytest -m chaos $(ARGS)

# The pages that come out of the code: the command line and the feature catalogue.
docs: install
	$(BIN)/typer connector.cli utils docs --name leadswitch --title "The command line" --output docs/cli.md
	$(BIN)/leadswitch features --markdown > docs/features.md

# Pin every package with its hashes, for all platforms; no index address is written.
LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet
lock: install
	$(LOCK) $(ARGS) -o requirements.txt
	$(LOCK) $(ARGS) --all-extras --group dev -c requirements.txt -o requirements-dev.txt

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
