# What a person types. Every target brings what it needs; a second run of set-up only looks whether inputs changed.
# In the environment or on the command line: PORT, DATA_DIR, DATABASE_URL, ADMIN_PASSWORD, HYPERVISOR, ACCELERATOR.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

PYTHON ?= python3
VENV := .venv
# A mark for each step of set-up that is done; it is older than its inputs when the step is due again.
DONE := $(VENV)/done
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes -r
SYSTEM := $(shell [ -x $(BIN)/python ] && echo $(BIN)/python || echo $(PYTHON)) -I deploy/system.py

# Trying the interface alone takes no hypervisor.
ifneq ($(HYPERVISOR),memory)
RUN_GROUPS := hypervisor binding firmware network guest
LIBVIRT := libvirt
endif

.PHONY: help setup setup-dev run test test-quick test-guests screenshots prove bench savings lint types messages lock clean \
	system system-dev libvirt sdk

help: ## Say what can be typed
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup ## Start the web interface and the engine; Ctrl-C stops both
	@exec $(BIN)/python manage.py serve

setup: system $(DONE)/runtime $(LIBVIRT) $(DONE)/vendor $(DONE)/catalogues ## Bring what `make run` needs

setup-dev: system-dev $(DONE)/dev libvirt sdk $(DONE)/ansible $(DONE)/vendor $(DONE)/catalogues ## Bring what the tests and checks need too

test: setup-dev ## Everything on SQLite, SQL again on PostgreSQL, a tiny real guest, a browser story
	@deploy/test.sh

QUICK := $(addprefix tests/,domain libvirtxml wire settings models search)
test-quick: setup-dev ## The rules by themselves, in under a minute: no action, no page, no server
	@env -u DATABASE_URL deploy/pytest.sh -q -n auto --dist worksteal $(QUICK) \
		-m "not sql_server and not hypervisor and not guests and not stress"

test-guests: setup-dev ## Slower real guests, from a cache
	@TWICE=1 deploy/pytest.sh -m guests -p no:xdist

prove: setup-dev ## Long searches for a fault: many examples of every property, and what takes long
	@deploy/pytest.sh -n auto --hypothesis-profile=prove -m "(stress or hypothesis) and not hypervisor"

screenshots: setup-dev ## Pictures of the pages and dialogs, both themes, wide and narrow; TO=directory
	@$(BIN)/python deploy/screenshots.py $(TO)

VMS ?= 20000
bench: setup-dev ## Lists and searches among VMS machines (20000), in a database of its own, against references
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && export DATA_DIR="$$scratch" && \
	$(BIN)/python manage.py migrate -v0 && $(BIN)/python manage.py seed --vms $(VMS) --running && \
	$(BIN)/python manage.py bench

savings: setup ## Measure what a machine without a screen saves here: the same guest with and without one, side by side
	@$(BIN)/python manage.py savings

lint: setup-dev ## Style, types, the laws between the rooms, missing migrations; all run, whatever fails
	@failed=0; \
	for check in "ruff check" "ruff format --check" mypy "lint-imports --no-logo" \
			"python manage.py makemigrations --check --dry-run"; do \
		echo "-- $$check"; $(BIN)/$$check || failed=1; \
	done; \
	exit $$failed

types: setup-dev ## Types alone
	@$(BIN)/mypy

messages: setup-dev ## Bring the catalogues in vms/locale in line with the texts, and say how many wait for a translation
	@$(BIN)/python -I deploy/catalogues.py update

COMPILE := $(BIN)/uv pip compile --quiet --python-platform linux --python-version 3.11 --generate-hashes \
	--no-header --no-config --no-emit-index-url --no-emit-find-links
lock: $(DONE)/dev ## Write the hashed locks again; UPGRADE=--upgrade takes newer versions
	@$(COMPILE) $(UPGRADE) pyproject.toml -o requirements.txt
	@$(COMPILE) $(UPGRADE) pyproject.toml -o requirements-libvirt.txt --extra libvirt -c requirements.txt
	@$(COMPILE) $(UPGRADE) pyproject.toml -o requirements-dev.txt --group dev -c requirements.txt
	@$(COMPILE) $(UPGRADE) -o requirements-sdk.txt --group pyproject.toml:sdk
	@$(COMPILE) $(UPGRADE) -o requirements-ansible.txt --group pyproject.toml:ansible
	@$(COMPILE) $(UPGRADE) -o requirements-npm.txt --group pyproject.toml:npm
	@PATH="$(BIN):$$PATH" && cd static && npm install --package-lock-only

clean: ## Remove what set-up and tools made; data in DATA_DIR stays
	@rm -rf $(VENV) static/node_modules static/vendor vms/locale/*/LC_MESSAGES/*.mo build dist \
		.pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- the steps of set-up

system:
	@$(SYSTEM) ensure python $(RUN_GROUPS)

system-dev:
	@$(SYSTEM) ensure python hypervisor binding sdk firmware network guest database ssh distribution offline browser

$(BIN)/python: | system
	@echo "Making the virtual environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(DONE)/runtime: requirements.txt | $(BIN)/python
	@echo "Installing the Python packages ..."
	@$(PIP) requirements.txt
	@mkdir -p $(@D) && touch $@

$(DONE)/dev: requirements-dev.txt | $(BIN)/python
	@echo "Installing the Python packages for tests and checks ..."
	@$(PIP) requirements-dev.txt
	@mkdir -p $(@D) && touch $@ $(DONE)/runtime

# Without its headers the rest works; system.py has said so, and the next run tries again.
libvirt: $(DONE)/runtime
	@if [ ! $(DONE)/libvirt -nt requirements-libvirt.txt ] && $(SYSTEM) check binding; then \
		echo "Building libvirt-python ..."; \
		if $(PIP) requirements-libvirt.txt; then touch $(DONE)/libvirt; \
		else echo "libvirt-python cannot be built: no machine can be started." >&2; fi; \
	fi

# As with libvirt: where it cannot be built, the tests that need it are left out.
sdk: $(DONE)/dev
	@if [ ! $(DONE)/sdk -nt requirements-sdk.txt ] && $(SYSTEM) check sdk; then \
		echo "Building oVirt's SDK for Python ..."; \
		if $(PIP) requirements-sdk.txt; then touch $(DONE)/sdk; \
		else echo "oVirt's SDK cannot be built: its tests are left out." >&2; fi; \
	fi

# Half a gigabyte of collections, of which one is used: the others go again. Its own environment, so that nothing that
# Ansible needs decides what the product runs with.
$(DONE)/ansible: requirements-ansible.txt | $(DONE)/dev
	@echo "Installing Ansible with oVirt's collection ..."
	@$(PYTHON) -m venv $(VENV)/ansible
	@$(VENV)/ansible/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes \
		-r requirements-ansible.txt
	@find $(VENV)/ansible/lib/python*/site-packages/ansible_collections -mindepth 1 -maxdepth 1 -type d \
		! -name ovirt ! -name ansible -exec rm -rf {} +
	@touch $@

$(DONE)/vendor: static/package.json static/package-lock.json static/.npmrc deploy/vendor.py | $(BIN)/python
	@if ! npm --version >/dev/null 2>&1; then \
		echo "Installing npm, which this machine does not have ..."; \
		$(PIP) requirements-npm.txt; \
	fi
	@echo "Fetching the front-end packages ..."
	@export PATH="$$PATH:$(CURDIR)/$(BIN)" && cd static && npm ci --loglevel=error >/dev/null
	@$(BIN)/python -I deploy/vendor.py
	@mkdir -p $(@D) && touch $@

$(DONE)/catalogues: $(wildcard vms/locale/*/LC_MESSAGES/django.po) deploy/catalogues.py | $(DONE)/runtime
	@$(BIN)/python -I deploy/catalogues.py compile
	@mkdir -p $(@D) && touch $@
