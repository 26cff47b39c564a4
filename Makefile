# The menu. `make serve` and `make test` need python3 (3.11 or newer) and make, nothing else.

PYTHON ?= python3
UPTO ?= 100000
MANAGE = .venv/bin/python manage.py

# Files are UTF-8, whatever the locale is.
export PYTHONUTF8 = 1

.PHONY: help install serve populate check test drill cluster cluster-down cluster-test
.PHONY: lint format lock bench clean
.PHONY: again browser decoders languages faults engines

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: .static/whole ## install what serving needs

serve: install ## install, populate the first terms and serve on $PORT
	@# gunicorn reads some of the variables too, and has no sentence for those that make no sense.
	@.venv/bin/python -m fibosite.settings
	-$(MANAGE) prepopulate
	exec .venv/bin/gunicorn --config fibosite/gunicorn.conf.py

populate: .venv/serve ## store the first 100,000 terms, or UPTO=N
	$(MANAGE) prepopulate --upto $(UPTO)

check: lint install ## lint, types, and the tests that start no other process
	.venv/bin/python -m pytest -n 2 --dist loadfile -m "not process and not drill and not cluster"

test: .venv/develop browser decoders languages install ## install what the tests need and run them all
	@# Each file's tests by one of three processes, as some wait for clients that are slow. Their
	@# servers have free ports and own directories.
	.venv/bin/python -m pytest -n 3 --dist loadfile

drill: .venv/develop browser faults install ## the tests that take minutes; as root, they mount
	@# Three at once on two processors: some drills only wait, one for six minutes.
	.venv/bin/python -m pytest -n 3 --dist loadfile --durations=20 -m drill

cluster: .venv/cluster engines install ## several hosts, their index and object store, on this machine
	.venv/bin/python -m tools.cluster up

cluster-down: .venv/cluster ## stop them; their data stays
	.venv/bin/python -m tools.cluster down

cluster-test: .venv/develop .venv/cluster engines browser install ## break a cluster in every way
	@# At the same time: nothing of a cluster is shared with the PostgreSQL of the other tests.
	$(MAKE) --jobs=2 test-of-cluster test-of-postgresql

.PHONY: test-of-cluster test-of-postgresql
test-of-cluster:
	.venv/bin/python -m pytest --durations=10 -m cluster tests/cluster

test-of-postgresql:
	.venv/bin/python -m pytest --durations=10 -m cluster --ignore=tests/cluster

lint: .venv/develop ## ruff, mypy, and Django's own checks as deployed
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	$(MANAGE) check --deploy --fail-level WARNING
	$(MANAGE) makemigrations --check --dry-run

lock: .venv/develop ## pin what pyproject.toml asks for again, in its newest versions, with hashes
	$(call pin,requirements.txt)
	$(call pin,requirements-cluster.txt,--extra=cluster --constraint=requirements.txt)

format: .venv/develop ## let ruff lay out the code
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

bench: .venv/bench install ## measure all topics, or TOPIC=name, into benchmarks/results and docs/plots
	.venv/bin/python -m benchmarks $(TOPIC) $(if $(ROUNDS),--rounds=$(ROUNDS)) \
	    $(if $(ONLY),--only="$(ONLY)") $(if $(BEFORE),--before=$(BEFORE))

clean: ## remove what make made, but for the data
	rm -rf .venv .static .mypy_cache .pytest_cache .ruff_cache .hypothesis

# An environment names the directory and the Python that it was built for once it is whole. One that
# is not whole, was moved, or lost its Python is built again.
identity = .venv/bin/python -Ic 'import os, sys, pip, django, gunicorn; \
    print(os.path.realpath(sys.prefix), sys.implementation.cache_tag)'
works = $(identity) 2>/dev/null | grep -qxFf - .venv/whole 2>/dev/null

# One `make` at a time. The lock is held by every process that a line starts: what goes on installing
# after its `make` was killed ends before another begins.
lock = exec 9<Makefile && flock 9

# Installs the requirements in the file $(1). If one has hashes, pip takes nothing without.
define install
	@$(lock); set -e; \
	  $(works) || { rm -rf .venv; $(create); }; \
	  rm -f .venv/whole; \
	  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r $(1); \
	  sync -f .venv; \
	  $(identity) >.venv/whole; \
	  touch $@
endef

# Writes the file $(1): all hashes that PyPI lists, so that it holds for every platform. A mirror or
# a directory of wheels that pip is configured with has files with other hashes.
define pin
	PIP_CONFIG_FILE=/dev/null CUSTOM_COMPILE_COMMAND="make lock" .venv/bin/pip-compile --quiet \
	    --upgrade --generate-hashes --strip-extras --no-emit-find-links --no-emit-index-url \
	    $(2) --output-file=$(1) pyproject.toml
endef

# Debian keeps the part of Python that builds environments in a package of its own.
define create
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "FiboService needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)."; exit 1; }; \
	  $(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	    { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq $(notdir $(PYTHON))-venv; } || \
	    { echo "$(PYTHON) cannot build environments: install Debian's package $(notdir $(PYTHON))-venv."; exit 1; }; \
	  $(PYTHON) -m venv .venv
endef

.venv/serve: requirements.txt $(shell $(works) || echo again)
	$(call install,requirements.txt)

.venv/develop: requirements-dev.txt .venv/cluster
	$(call install,requirements-dev.txt)

.venv/cluster: requirements-cluster.txt .venv/serve
	$(call install,requirements-cluster.txt)

.venv/bench: benchmarks/requirements.txt .venv/develop
	$(call install,benchmarks/requirements.txt)

# Installs Debian's packages for those programs that are missing; program:package if they differ.
# PostgreSQL's are where no PATH leads. The second argument is of options for apt-get.
define debian
	@for each in $(1); do PATH="$$PATH:/usr/sbin:$$(echo /usr/lib/postgresql/*/bin | tr ' ' :)" command -v $${each%:*} >/dev/null || \
	    missing="$$missing $${each#*:}"; done; \
	  test -z "$$missing" || \
	  { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq $(2) $$missing; } || \
	  { echo "This needs Debian's packages$$missing."; exit 1; }
endef

browser:
	$(call debian,chromium curl wget)

decoders:
	$(call debian,zstd pigz busybox 7zz:7zip node:nodejs libdeflate-gunzip:libdeflate-tools)

# R comes with it.
languages:
	$(call debian,Rscript:r-cran-gmp,--no-install-recommends)

faults:
	$(call debian,aria2c:aria2 zstd jq strace faketime nginx:nginx-light)

# What is recommended besides would be some 300 MB, and the daemons for a whole machine.
engines:
	$(call debian,initdb:postgresql ceph-mon ceph-mgr ceph-osd radosgw ceph:ceph-common \
	    nginx:nginx-light ip:iproute2 curl,--no-install-recommends)

# The manifest is written before all files are compressed.
.static/whole: .venv/serve $(shell find sequence/static -type f 2>/dev/null)
	@$(lock); $(MANAGE) collectstatic --no-input --clear --verbosity 0 && touch $@
