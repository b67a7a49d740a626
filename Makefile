# Two commands a newcomer needs: `make demo` and `make test`. Both set themselves up.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c 'import sys,venv,ensurepip; sys.exit(sys.version_info < (3,11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin

.PHONY: setup demo test lint unit fuzz audit docs dashboards chart dist lock clean help

help:            ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

setup: .venv/.stamp   ## virtual environment with locked dependencies, Prometheus and Alertmanager
	@sh scripts/servers.sh

.venv/.stamp: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "lens-exporter needs Python 3.11 or newer with venv (Debian: apt install python3 python3-venv)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/.deploy-stamp: .venv/.stamp requirements-deploy.lock  # for tests of the chart and the packages; large
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-deploy.lock
	@touch $@

demo: setup      ## the whole loop on this machine, in under four minutes
	@$(BIN)/lens-exporter demo

test: setup lint unit   ## lint, types, import direction, all tests

lint: .venv/.stamp  ## ruff, mypy, import direction
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy -p dashboards.generate
	$(BIN)/lint-imports

unit: .venv/.stamp .venv/.deploy-stamp
	$(BIN)/python -m pytest -n 4 --dist worksteal

chart: .venv/.stamp  ## copy rules and dashboards into the Helm chart, write the values table of its README
	$(BIN)/python scripts/chart.py

dist: .venv/.deploy-stamp  ## wheel, source package and chart archive in dist/, checked
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/python -c "from helm_python import chart; print(chart.package('helm/lens-exporter', destination='dist'))"

fuzz: .venv/.stamp  ## 20,000 requests made from the OpenAPI document: no 5xx, no undocumented answer
	$(BIN)/python bench/api_fuzz.py 20000

audit: .venv/.stamp  ## known vulnerabilities of what is locked; asks a service on the network, so no part of the tests
	$(BIN)/pip-audit --strict --require-hashes --disable-pip -r requirements.lock

docs: .venv/.stamp  ## regenerate docs/metrics.md, docs/events.md, docs/configuration.md
	$(BIN)/python -m lens_exporter.reference docs

COMPILE = uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
dashboards: .venv/.stamp  ## write dashboards/*.json anew
	$(BIN)/python -W ignore::DeprecationWarning -m dashboards.generate

lock:            ## resolve the lock files anew (needs uv): tests, tests of chart and packages, image, build
	$(COMPILE) --group dev --extra all pyproject.toml build.in -o requirements.lock
	$(COMPILE) --group deploy -c requirements.lock -o requirements-deploy.lock
	$(COMPILE) --extra postgres --extra otlp -c requirements.lock pyproject.toml -o requirements-image.lock
	$(COMPILE) -c requirements.lock build.in -o requirements-build.lock

clean:
	rm -rf .venv dist build
