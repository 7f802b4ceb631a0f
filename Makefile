# Everything runs in a virtual environment that this file makes: .venv. Python 3.11 or newer is all it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed
DEV := $(VENV)/.installed-dev

.PHONY: demo test check types lint layers bench docs lock audit clean

demo: $(RUN)
	$(BIN)/python -m bot.sandbox demo $(if $(SCRIPT),--script $(SCRIPT))

test: $(DEV)
	$(BIN)/python -m pytest $(ARGS)

check: lint types layers docs-check

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)
	$(BIN)/mypy

layers: $(DEV)
	$(BIN)/lint-imports

docs: $(RUN)
	$(BIN)/python app.py docs

.PHONY: docs-check
docs-check: $(RUN)
	$(BIN)/python app.py docs --check

bench: $(DEV)
	$(BIN)/python -m tests.bench

audit: $(DEV)
	$(BIN)/pip-audit --requirement requirements.txt --require-hashes --disable-pip

lock: $(DEV)
	$(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links requirements-dev.in -o requirements-dev.txt

clean:
	rm -rf $(VENV) var build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)

$(RUN): requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt
	touch $@

$(DEV): requirements-dev.txt $(RUN)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.txt
	touch $@
