# Everything a person or a build machine needs, on a machine with git, make and Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test soak soak-invoices soak-offline security demo bench lint format lock servers clean

run: $(READY)  ## the whole system with a demo tenant, on http://127.0.0.1:8000
	@$(BIN)/cuadrilla run

demo: $(READY)  ## the main job, once, from demo/; leaves var/demo/timeline.json and invoice.pdf
	@$(BIN)/cuadrilla demo

test: $(READY) servers  ## the whole suite, against every adapter; coverage is part of it
	rm -f .coverage .coverage.*
	$(BIN)/python -m pytest tests/core --cov=src/core --cov-branch --cov-fail-under=95 --cov-report=term:skip-covered -q -n auto
	$(BIN)/python -m pytest --ignore=tests/core --cov=src --cov-append --cov-branch --cov-fail-under=90 --cov-report=term:skip-covered -q -n auto --dist loadgroup

soak: $(READY)  ## ten thousand seeds of the simulation
	$(BIN)/python -m tests.faults --seeds 10000

soak-invoices: $(READY)  ## ten thousand invoices, two hundred kill -9, an AFIP that fails in every way; about an hour
	$(BIN)/python -m tests.soak.invoices --vouchers 10000 --workers 8 --series 3 --kills 200 --fault 0.1

soak-offline: $(READY)  ## two hundred phones, ten thousand operations, lost answers and doubled pushes; minutes
	$(BIN)/python -m tests.soak.offline --phones 200 --operations 10000

security: $(READY)  ## the checks of security in their full numbers
	CUADRILLA_FULL=1 $(BIN)/python -m pytest -q tests/security tests/entrypoints/http tests/contracts/test_identity.py tests/contracts/test_identity_codes.py

bench: $(READY)  ## the figures, as ratios against a floor in the same run
	@sh tools/need.sh redis-benchmark:redis-tools
	$(BIN)/python -m bench

lint: $(READY)  ## formatter, linter, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config importlinter.ini

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(READY)  ## pin anew what pyproject.toml allows; the lock names no index
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--group dev pyproject.toml -o requirements.lock --upgrade

servers: $(READY)  ## what the tests need and wheels do not bring: RabbitMQ, a browser, a phone's database
	@sh tools/fetch_rabbitmq.sh
	@sh tools/need.sh chromium:chromium node:nodejs npm:npm
	@sh tools/fetch_watermelon.sh

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "Python's venv is missing: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -o '^uv==[0-9.]*' requirements.lock)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

clean:
	rm -rf $(VENV) var build dist .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
