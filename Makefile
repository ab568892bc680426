# Two commands do all the set-up on a machine that has Python 3.11 or later:
#   make demo               the main job on real files, in a virtual environment of its own
#   make demo DATA=folder   the same on your own files
#   make test               lint, types, unit tests, doctests and notebooks, in another one

PYTHON ?= python3
VENV ?= .venv
DEMO_VENV ?= .venv-demo
PYTEST_ARGS ?= -n auto -q

BIN = $(VENV)/bin
NOTEBOOKS = $(sort $(wildcard notebooks/*.ipynb))

.PHONY: demo test unit doctest notebooks lint format bench venv clean

demo: $(DEMO_VENV)/.demo
	$(DEMO_VENV)/bin/python tools/demo.py "$(DATA)"

test: lint unit doctest notebooks

unit: $(VENV)/.test
	$(BIN)/python -m pytest $(PYTEST_ARGS) tests

doctest: $(VENV)/.test
	$(BIN)/python -m pytest $(PYTEST_ARGS) --doctest-modules dicomkit

notebooks: $(VENV)/.test
ifneq ($(NOTEBOOKS),)
	$(BIN)/python -m pytest -q --nbval-lax --nbval-current-env $(NOTEBOOKS)
endif

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.bench
	$(BIN)/python tests/benchmarks

venv: $(VENV)/.dev

clean:
	rm -rf .venv .venv-* .hypothesis .mypy_cache .pytest_cache .ruff_cache

# DIRECTORY/.EXTRA says that the virtual environment DIRECTORY has the package with that extra.
define install
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dicomkit needs Python 3.11 or later: make PYTHON=...")'
$(PYTHON) -m venv $(@D)
$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
touch $@
endef

$(VENV)/.%: pyproject.toml
	$(install)

$(DEMO_VENV)/.%: pyproject.toml
	$(install)
