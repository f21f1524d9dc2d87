# make         set up .venv and run the whole desk-scale job
# make setup   set up .venv only
# make test    set up .venv with the test dependencies and run every test
# make test-long   the fault suite with hundreds of kills and corruptions
# make bench   measure speed against stated rivals, to results/benchmarks.parquet
# make lint    formats and static checks

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: all setup setup-test test test-long bench lint clean

all: setup
	$(BIN)/snakemake

setup: $(VENV)/.ready

setup-test: $(VENV)/.ready-test

$(VENV)/.ready: envs/requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -r envs/requirements.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

# The reference libraries ask for torchvision, which nothing here needs: hence --no-deps.
$(VENV)/.ready-test: $(VENV)/.ready envs/requirements-test.txt envs/requirements-references.txt
	$(PIP) install -r envs/requirements-test.txt
	$(PIP) install --no-deps -r envs/requirements-references.txt
	touch $@

lint: setup-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-long: setup-test
	HYPERTRANSFER_LONG=1 $(BIN)/python -m pytest -s tests/faults

bench: setup-test
	$(BIN)/python -m tests.benchmarks

clean:
	rm -rf $(VENV) build workflow/*.egg-info .pytest_cache .ruff_cache
