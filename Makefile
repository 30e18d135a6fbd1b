# Zhili: everything a developer types. `make help` lists it.
PY := .venv/bin/python
.DEFAULT_GOAL := help

help:            ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup:           ## install only; afterwards .venv/bin/zhili works
	@python3 tools/bootstrap.py

setup-dev:
	@python3 tools/bootstrap.py --dev

demo: setup      ## embedded database, a village with a year of points, served on 127.0.0.1:8000
	@.venv/bin/zhili demo

test: setup-dev  ## everything that can fail, real database and real browser
	@$(PY) -m pytest -n 2 --dist loadgroup

soak: setup-dev  ## the Village Simulator with new seeds for an hour (SECONDS=…), with and without shops
	@$(PY) -m tests.simulator --seconds $(or $(SECONDS),3600)

test-server: setup-dev ## the same tests on a served PostgreSQL (Debian's, 15 or newer)
	@$(PY) tools/test_server.py

lint: setup-dev  ## ruff, mypy, import-linter
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy zhili && .venv/bin/lint-imports --no-cache

bench: setup-dev ## speed, as ratios in one run
	@$(PY) -m bench

requirements: setup-dev ## which requirement numbers have tests that name them
	@$(PY) tools/requirements.py

screenshots: setup-dev ## make the pictures of the README again
	@$(PY) -m pytest -q tests/test_demo.py -k pictures && mkdir -p docs/screenshots && cp screenshots/readme/*.png docs/screenshots/

audit: setup     ## list of all packages with digests (SBOM); known vulnerabilities where the network allows
	@$(PY) tools/sbom.py
	@uvx pip-audit -r requirements/base.txt --require-hashes --disable-pip || { echo "pip-audit found something, or could not ask (no network, no uvx)"; exit 1; }
	@npm audit --omit=dev || { echo "npm audit found something, or could not ask"; exit 1; }

bundle: setup    ## everything for a server without a network, in build/bundle, with checksums
	@$(PY) tools/bundle.py make build/bundle

lock:            ## compile requirements/*.txt and package-lock.json again, with hashes, without addresses
	@for f in base dev node; do uv pip compile --universal --quiet --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --python-version 3.11 requirements/$$f.in -o requirements/$$f.txt; done
	@npm install --package-lock-only

clean:           ## remove everything that was installed or built (not var/)
	rm -rf .venv .cache node_modules zhili/web/static/vendor

.PHONY: help soak audit bundle setup setup-dev demo test test-server lint bench requirements screenshots lock clean
