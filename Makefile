# The menu. `make serve` and `make test` need python3 (3.11 or newer) and make, nothing else.

PYTHON ?= python3
UPTO ?= 100000
MANAGE = .venv/bin/python manage.py

.PHONY: help serve populate test drill cluster cluster-down cluster-test lint format bench clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

serve: .static/staticfiles.json ## install, populate the first terms and serve on $PORT
	-$(MANAGE) prepopulate
	exec .venv/bin/gunicorn --config fibosite/gunicorn.conf.py

populate: .venv/serve ## store the first 100,000 terms, or UPTO=N
	$(MANAGE) prepopulate --upto $(UPTO)

test: .venv/develop .venv/browser .static/staticfiles.json ## install what the tests need and run them all
	.venv/bin/coverage run -m pytest
	.venv/bin/coverage report --skip-covered

drill: .venv/develop .venv/faults .static/staticfiles.json ## the tests that take minutes; as root, they mount
	.venv/bin/python -m pytest -m drill

cluster: .venv/cluster .static/staticfiles.json ## several hosts, their index and object store, on this machine
	.venv/bin/python -m cluster up

cluster-down: .venv/cluster ## stop them; their data stays
	.venv/bin/python -m cluster down

cluster-test: .venv/develop .venv/cluster .venv/browser .static/staticfiles.json ## break a cluster in every way
	.venv/bin/python -m pytest -m cluster

lint: .venv/develop ## ruff, mypy, and Django's own checks as deployed
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	$(MANAGE) check --deploy --fail-level WARNING
	$(MANAGE) makemigrations --check --dry-run

format: .venv/develop ## let ruff lay out the code
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

bench: .venv/bench .static/staticfiles.json ## measure all topics, or TOPIC=name, into benchmarks/results and docs/plots
	.venv/bin/python benchmarks/run.py $(TOPIC) $(if $(ROUNDS),--rounds=$(ROUNDS))

clean: ## remove what make made, but for the data
	rm -rf .venv .static .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "FiboService needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)."; exit 1; }
	@# Debian keeps the part of Python that makes environments in a package of its own.
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq python3-venv; } || \
	  { echo "$(PYTHON) cannot make environments: install Debian's package python3-venv."; exit 1; }
	$(PYTHON) -m venv .venv

.venv/serve: requirements.txt | .venv/bin/python
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/develop: requirements-dev.txt requirements-cluster.txt .venv/serve
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.venv/bench: benchmarks/requirements.txt .venv/develop
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	@touch $@

# Installs Debian's packages for those programs that are missing; program:package where they differ.
# PostgreSQL's are where no PATH leads. The second argument is of options for apt-get.
define debian
	@for each in $(1); do PATH="$$PATH:/usr/sbin:$$(echo /usr/lib/postgresql/*/bin | tr ' ' :)" command -v $${each%:*} >/dev/null || \
	    missing="$$missing $${each#*:}"; done; \
	  test -z "$$missing" || \
	  { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq $(2) $$missing; } || \
	  { echo "This needs Debian's packages$$missing."; exit 1; }
	@touch $@
endef

.venv/browser: | .venv/bin/python
	$(call debian,chromium curl wget)

.venv/faults: | .venv/browser
	$(call debian,aria2c:aria2 zstd jq strace faketime nginx:nginx-light)

# What is recommended besides would be some 300 MB, and the daemons for a whole machine.
.venv/cluster: requirements-cluster.txt .venv/serve
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-cluster.txt
	$(call debian,initdb:postgresql ceph-mon ceph-mgr ceph-osd radosgw ceph:ceph-common \
	    nginx:nginx-light ip:iproute2 curl,--no-install-recommends)

.static/staticfiles.json: .venv/serve $(shell find sequence/static -type f 2>/dev/null)
	$(MANAGE) collectstatic --no-input --clear --verbosity 0
	@touch $@
