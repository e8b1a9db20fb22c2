# Everything a fresh machine needs is python3 (3.11 or newer, with venv), git, make, and the network to PyPI and npm.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two workers: the suite runs real servers beside them.
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help install install-dev console serve test test-fast test-long lint bench docs surface requirements clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/.installed: pyproject.toml requirements/base.txt requirements/build.txt
	@$(PYTHON) -c 'import sys; sys.exit("Understudy needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Say which with: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt -r requirements/base.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

install: $(VENV)/.installed ## Install Understudy into .venv

install-dev: $(VENV)/.installed-dev ## Install it with what tests, lint and benchmarks need

console: install ## Build the Console, if it is missing or its sources have changed
	@$(BIN)/python console/build.py

serve: install console ## Start the server and print its address, a fresh API key and a first request
	@exec $(BIN)/understudy serve --fresh-key

test: lint console ## Run all checks and all tests
	$(BIN)/python -m pytest -n $(WORKERS)

test-fast: install-dev console ## Run the tests that take little time
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow"

test-long: install-dev console ## Run all tests with ten times the examples
	UNDERSTUDY_TEST_LONG=1 $(BIN)/python -m pytest -n $(WORKERS)

lint: install-dev ## Check style, types (of the Console too) and which room imports which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python console/build.py --check

bench: install-dev ## Measure speed and memory, against a bare echo server and against other gateways (installs them)
	$(BIN)/python -m benchmarks.run

docs: install-dev ## Write the generated pages of docs/ anew
	$(BIN)/python -m docs.generate

surface: install-dev ## Compare the newest official SDK with what is served, and print what is new
	$(BIN)/python -m surface.newest

requirements: ## Lock what is installed, with hashes (needs uv)
	uv pip compile pyproject.toml --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade -o requirements/base.txt
	uv pip compile --group build --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade -o requirements/build.txt
	uv pip compile --group dev -c requirements/base.txt -c requirements/build.txt --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade -o requirements/dev.txt
	uv pip compile --group node -c requirements/dev.txt --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade -o requirements/node.txt
	uv pip compile --group sdk-suite -c requirements/dev.txt --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade -o requirements/clients-sdk-suite.txt
	for client in agent-sdk instructor langchain openai pydantic-ai; do uv pip compile --group client-$$client --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade -o requirements/clients-$$client.txt || exit 1; done

clean: ## Remove what was installed and built
	rm -rf $(VENV) .venv-clients build dist console/node_modules console/dist console/.node src/understudy/console/static .pytest_cache .ruff_cache .hypothesis tests/clients/node/node_modules tests/gguf/.made
