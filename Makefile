# make demo    a virtual environment, the package in it, and videos of the shipped pictures in demo_output/
# make test    the tests
# make check   lint, format and types
# make shown   README's numbers and gallery, from the shipped checkpoint and its eval.json
# Each is quick when run again: what is installed is marked by a file in the virtual environment.

PYTHON ?= python3
VENV ?= .venv
DEMO_OUTPUT ?= demo_output
TEST_WORKERS ?= 2

BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
SOURCES := setup.py pyproject.toml constraints.txt

.PHONY: demo test check shown format clean

demo: $(VENV)/has-camvig
	$(BIN)/camvig demo --output-dir $(DEMO_OUTPUT)

test: $(VENV)/has-test
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(TEST_WORKERS)

check: $(VENV)/has-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

shown: $(VENV)/has-camvig
	$(BIN)/python benchmarks/write_measured.py
	$(BIN)/python benchmarks/draw_gallery.py

format: $(VENV)/has-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(DEMO_OUTPUT) build dist *.egg-info

$(VENV)/has-pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "camvig needs Python 3.11 or newer; set PYTHON=..., got `$(PYTHON) --version 2>&1`" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/has-camvig: $(SOURCES) | $(VENV)/has-pip
	@echo "Installing camvig into $(VENV); the first time takes a few minutes"
	$(INSTALL) -e .
	@touch $@

$(VENV)/has-test: $(SOURCES) | $(VENV)/has-pip
	@echo "Installing camvig and its test tools into $(VENV); the first time takes a few minutes"
	$(INSTALL) -e ".[test]"
	@touch $@ $(VENV)/has-camvig

$(VENV)/has-dev: $(VENV)/has-test
	$(INSTALL) -e ".[test,dev]"
	@touch $@
