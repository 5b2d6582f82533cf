# One command for each thing a person does here. Each target builds the part of .venv that it needs, once:
# a stamp file in .venv/.stamps stands for each part and is older than pyproject.toml or constraints.txt when it is stale.

PYTHON      ?= python3
PROVE_ARGS  ?=
# `worksteal` gives each worker files that lie together: what the tests of a file share is computed by one of them.
PYTEST_ARGS ?= -n auto --maxprocesses 4 --dist worksteal
BENCH_ARGS  ?=
LIBRARIES   ?=
MUTANT_ARGS ?= --seed 1 --each 100

BIN    := .venv/bin
STAMPS := .venv/.stamps
# Prints nothing but errors. Everything that pip installs here is pinned in constraints.txt.
PIP     := $(BIN)/python -m pip -qq --disable-pip-version-check
INSTALL := $(PIP) install -c constraints.txt
# The build backend is installed, pinned, beside the project; nothing is resolved in an isolated environment.
EDITABLE := $(INSTALL) --no-build-isolation -e

.DEFAULT_GOAL := help
.PHONY: help prove test lint bench mutants libraries atlas browser notebooks notebooks-test clean

help: ## say what can be made
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  PYTHON=python3.12 PROVE_ARGS='-k k3' PYTEST_ARGS='-x tests/test_x.py' LIBRARIES='verl trl' override the defaults."

prove: $(STAMPS)/core ## prove every theorem of proofs/
	@$(BIN)/kltheory prove $(PROVE_ARGS)

test: $(STAMPS)/test $(STAMPS)/openrlhf ## run the tests, real library code among them
	@$(BIN)/pytest $(PYTEST_ARGS)

lint: $(STAMPS)/dev ## ruff check, ruff format --check, mypy: all three, then fail if one failed
	@failed=0; \
	$(BIN)/ruff check . || failed=1; \
	$(BIN)/ruff format --check . || failed=1; \
	$(BIN)/mypy || failed=1; \
	exit $$failed

bench: $(STAMPS)/bench ## run the benchmarks
	@$(BIN)/pytest benchmarks $(BENCH_ARGS)

mutants: $(STAMPS)/test $(STAMPS)/dev ## a sample of mutants of our own source against the fast tests
	@$(BIN)/python tools/mutants.py $(MUTANT_ARGS)

# What `make libraries` found is shown as well, where it ran.
atlas: $(STAMPS)/report ## prove everything and write atlas.html, one page that needs no network
	@$(BIN)/kltheory report --html atlas.html $(addprefix --audit ,$(wildcard .venv-libraries/*/kltheory-audit.json))

browser: $(STAMPS)/browser ## test that page in Chromium, where there is one
	@$(BIN)/pytest tests/report/test_atlas_browser.py

notebooks: $(STAMPS)/lab ## open the notebooks in JupyterLab
	@$(BIN)/jupytext --quiet --to ipynb notebooks/[0-9]*.py
	@$(BIN)/jupyter lab notebooks

notebooks-test: $(STAMPS)/notebooks ## execute every notebook from scratch
	@$(BIN)/python notebooks/execute.py

libraries: $(STAMPS)/core ## audit real libraries, each in an environment of its own (about 6 GB, once)
	@$(BIN)/python -m kltheory.audit.libraries .venv-libraries $(LIBRARIES)

clean: ## delete .venv, .venv-libraries, caches and builds
	rm -rf .venv .venv-libraries .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment ----------------------------------------------------------------------------------------------

CHECK := import sys; v = sys.version_info; v >= (3, 11) or sys.exit("kltheory needs Python 3.11 or newer; " + sys.executable + " is %d.%d. Try: make PYTHON=python3.11" % v[:2])

$(STAMPS)/venv:
	@test -x $(BIN)/pip || { $(PYTHON) -c '$(CHECK)' && echo "creating .venv" && $(PYTHON) -m venv .venv; }
	@$(BIN)/python -c '$(CHECK)'
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/core: $(STAMPS)/venv pyproject.toml constraints.txt
	@echo "installing kltheory into .venv"
	@$(INSTALL) hatchling
	@$(EDITABLE) .
	@touch $@

# An extra of pyproject.toml each.
EXTRAS := bench browser dev lab notebooks report
$(addprefix $(STAMPS)/,$(EXTRAS)): $(STAMPS)/core
	@echo "installing the extra $(@F) into .venv"
	@$(EDITABLE) '.[$(@F)]'
	@touch $@

$(STAMPS)/test: $(STAMPS)/core
	@echo "installing the test tools and PyTorch into .venv (about 1 GB, once)"
	@$(EDITABLE) '.[test,torch]'
	@touch $@

# OpenRLHF, without its dependencies: a test loads one file of it by path. The only wheel is tagged for CPython 3.11 on
# Linux, yet all it holds is pure Python, so it is asked for by that tag and unpacked into whichever Python this is.
$(STAMPS)/openrlhf: $(STAMPS)/core
	@$(INSTALL) --no-deps --upgrade --only-binary=:all: \
	  --implementation cp --python-version 3.11 --abi cp311 --platform manylinux1_x86_64 \
	  --target "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" openrlhf
	@touch $@
