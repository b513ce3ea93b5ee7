# The whole house from one command each; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test lint docs bench lock lowest browser clean
.DEFAULT_GOAL := help

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST)

demo: .venv/.product ## diarize the recording in egs/demo, into out/demo
	$(BIN)/diarize run egs/demo/meeting.flac -o out/demo --force

test: .venv/.dev $(if $(BROWSER),browser) ## run all tests, ruff, mypy and shellcheck among them
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist worksteal

lint: .venv/.dev ## ruff, mypy, shellcheck, the order of imports, the links of the documentation
	$(BIN)/python -m pytest -q tests/project/test_quality.py tests/project/test_layers.py

docs: .venv/.docs ## write the documentation as a site to build/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo build/docs/index.html

bench: .venv/.dev ## print speed and start-up; with DATA=DIR (sets of recordings) the error as well
	$(BIN)/python benchmarks/one_hour.py
	[ -z "$(DATA)" ] || $(BIN)/python benchmarks/diarization_error.py --data "$(DATA)"

lock: .venv/.product ## write build/requirements.lock: what pip installs here, with hashes
	@mkdir -p build
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --dry-run --ignore-installed \
		-c constraints.txt --report build/report.json .
	$(BIN)/python .ci/write_lock.py < build/report.json > build/requirements.lock
	@echo build/requirements.lock

browser: ## install Chromium by apt-get, for the tests of the pages; make test BROWSER=yes does so first
	@command -v chromium > /dev/null || timeout 120 sh -c 'apt-get -qq update && \
		apt-get -qq -y --no-install-recommends install chromium' > /dev/null 2>&1 || \
		echo "no Chromium could be installed: the tests of the pages are skipped"

lowest: ## run the tests with the lowest versions that pyproject.toml allows, in build/lowest
	$(PYTHON) -m venv build/lowest
	build/lowest/bin/python -m pip install --quiet --disable-pip-version-check uv
	build/lowest/bin/uv pip install --quiet --python build/lowest/bin/python --resolution lowest-direct -e '.[dev]'
	OMP_NUM_THREADS=1 build/lowest/bin/python -m pytest -n 3 --dist worksteal --ignore tests/project

clean: ## remove what was made, but not .venv
	rm -rf out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, found: $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Name another one: make PYTHON=python3.12; on Debian: apt-get install python3 python3-venv" >&2; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
		echo "Python's venv is missing; on Debian: apt-get install python3-venv" >&2; \
		exit 1; }
	$(PYTHON) -m venv .venv

# The product alone, and with what its development needs. The first takes some minutes: torch is large.
.venv/.product: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e .
	@touch $@

.venv/.dev: .venv/.docs
	$(INSTALL) -e '.[dev]'
	@touch $@

.venv/.docs: .venv/.product
	$(INSTALL) -e '.[docs]'
	@touch $@
