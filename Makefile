# `make demo` and `make test` work on a fresh machine: they make their own virtual environment in .venv.

PYTHON ?= python3
VENV ?= .venv
ENV := $(abspath $(VENV))
SOURCES := pyproject.toml $(shell find stacked kernels cli tests -name '*.py')

.PHONY: demo test lint format bench mutants clean

demo: $(ENV)/.installed  ## train a small deep autoencoder on digits and draw what it makes of them
	$(ENV)/bin/stacked demo

test: $(ENV)/.developing  ## the whole test suite, on up to four processes
	$(ENV)/bin/python -m pytest -n auto --maxprocesses 4 --dist worksteal

lint: $(ENV)/.developing  ## ruff, and mypy on the package as it installs
	$(ENV)/bin/ruff check .
	$(ENV)/bin/ruff format --check .
	rm -rf $(ENV)/typed
	$(ENV)/bin/python -m pip install --quiet --no-deps --target $(ENV)/typed .
	cd $(ENV) && MYPYPATH=typed bin/mypy --config-file $(CURDIR)/pyproject.toml -p stacked

format: $(ENV)/.developing
	$(ENV)/bin/ruff check --fix .
	$(ENV)/bin/ruff format .

bench: $(ENV)/.developing  ## products and epochs beside NumPy, scikit-learn and, where it is installed, PyTorch; then every kernel
	$(ENV)/bin/python benchmarks/epochs.py
	$(ENV)/bin/python benchmarks/breakdown.py
	$(ENV)/bin/stacked bench

mutants: $(ENV)/.developing  ## random small changes of the sources, and how many of them the tests notice (an hour)
	$(ENV)/bin/python -m pip install --quiet --editable '.[plot,images,test,mutants]'
	$(ENV)/bin/python benchmarks/mutants.py

clean:
	rm -rf $(ENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache

$(ENV)/.made:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(ENV)
	touch $@

$(ENV)/.installed: $(ENV)/.made $(SOURCES)
	$(ENV)/bin/python -m pip install --quiet '.[plot]'
	touch $@

# An editable install: tests, and the processes that they start, run these very sources and share their compiled kernels.
$(ENV)/.developing: $(ENV)/.made $(SOURCES)
	$(ENV)/bin/python -m pip install --quiet --editable '.[plot,images,test,lint]'
	touch $@
