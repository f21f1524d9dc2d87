# make             set up .venv, and make the results of all studies at the desk scale
# make setup       set up .venv only
# make test        set up .venv with the test dependencies, and run the checks and all tests
# make test-long   run the fault tests with hundreds of kills, and every class of optimizers
# make bench       measure the speed against other libraries, to results/benchmarks.parquet
# make docs        write the generated pages, and build the documentation to site/
# make lint        check formats, and run static checks
# make rulegraph   draw the graph of the rules, to docs/images/rulegraph.svg (needs graphviz)

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: all setup setup-docs setup-test test test-long bench docs lint rulegraph clean

all: setup
	$(BIN)/snakemake --logger rich

setup: $(VENV)/.ready

setup-docs: $(VENV)/.ready-docs

setup-test: $(VENV)/.ready-test

$(VENV)/.ready: envs/requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -r envs/requirements.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.ready-docs: $(VENV)/.ready envs/requirements-docs.txt
	$(PIP) install -r envs/requirements-docs.txt
	touch $@

# The reference libraries require torchvision, which the tests do not need: hence --no-deps.
$(VENV)/.ready-test: $(VENV)/.ready $(VENV)/.ready-docs envs/requirements-test.txt envs/requirements-references.txt
	$(PIP) install -r envs/requirements-test.txt
	$(PIP) install --no-deps -r envs/requirements-references.txt
	touch $@

lint: setup-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile workflow/Snakefile workflow/rules
	$(BIN)/snakemake --lint

test: lint
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test-long: setup-test
	HYPERTRANSFER_LONG=1 $(BIN)/python -m pytest -s tests/faults tests/optimizers/test_package_optimizers.py

# The variable suppresses a notice of MkDocs about its next major version.
docs: setup-docs
	$(BIN)/python workflow/scripts/write_docs.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: setup-test
	$(BIN)/python -m tests.benchmarks

rulegraph: setup
	$(BIN)/snakemake --rulegraph dot publish_all | dot -Tsvg > docs/images/rulegraph.svg

clean:
	rm -rf $(VENV) build site workflow/*.egg-info .pytest_cache .ruff_cache
