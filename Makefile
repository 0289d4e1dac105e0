# SPDX-License-Identifier: MIT
# From a fresh clone: `make demo` does the main job, `make test` checks everything. Each sets up what it needs.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
BIN := .venv/bin
export PYTHON
export LC_ALL := C.UTF-8

step = @echo '==> $(1)'

# All files of the tree, asked of the tree itself: a machine may lack git.
FILES := find . \( -name .git -o -name .venv -o -path ./results -o -name '.*_cache' \) -prune -o -type f
DOCKERFILES = $(FILES) -name 'Dockerfile*' -print0
YAML = $(FILES) \( -name '*.yml' -o -name '*.yaml' \) -print0
# Shell scripts are those with a shell's name in the first line.
SHELL_SCRIPTS = $(FILES) -print0 | xargs -0 awk \
	'FNR == 1 && /^\#!.*[\/ ](ba|da)?sh( |$$)/ { print FILENAME } { nextfile }'
# A regular expression in a vpn.yaml stands on one line, however long.
YAML_RULES = {extends: default, rules: {document-start: disable, truthy: {check-keys: false}, line-length: {max: 180}, \
	braces: {max-spaces-inside: 1}, comments: {min-spaces-from-content: 1}, indentation: {indent-sequences: consistent}}}
PYTHON_TREES = $(wildcard lab tests benchmarks scripts)

.PHONY: help setup venv host images demo test test-host test-vm test-unit lint docs lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# What the kernel of this machine can carry, in the two suites that most VPNs have; five blocks rank what differs.
# Only programs as the distribution packages them: others would be compiled first, for some five minutes.
demo: setup ## Set everything up and compare VPNs: the answer on one screen, the rest in a report
	$(call step,images: the programs of the distribution that this machine can use)
	@$(BIN)/lab build --runnable --variants packaged
	$(call step,measuring: about 5 minutes)
	@$(BIN)/lab matrix --variants packaged --ciphers aes-128-gcm,chacha20-poly1305 \
		--measures throughput --blocks 5 --duration 1

# Which tests share a process, tests/conftest.py says. Guests use more than a processor each: more at once helps little.
PYTEST = $(BIN)/pytest -n 2 --dist loadscope

test: setup lint images ## Set everything up and run all tests
	$(call step,tests)
	@$(PYTEST)

test-host: setup lint images ## Run all tests but those of guests
	$(call step,tests on this machine's engine)
	@$(PYTEST) -m 'not vm'

test-vm: setup images ## Run the tests of guests
	$(call step,tests of guests)
	@$(PYTEST) -m vm

test-unit: venv ## Run the tests that need no Docker engine
	$(call step,unit tests)
	@$(BIN)/pytest -m 'not docker and not vm'

setup: venv host ## Make the virtual environment and see to a Docker engine

venv: .venv/stamp

.venv/stamp: requirements.txt pyproject.toml scripts/venv
	$(call step,virtual environment in .venv: about 20 seconds)
	@scripts/venv
	@touch $@

# An engine can have stopped since the last time: asked each time, and the playbook runs only where none answers.
host: venv
	@$(BIN)/python -c 'import docker; docker.from_env().ping()' 2>/dev/null || $(MAKE) playbook

.PHONY: playbook
playbook: venv
	$(call step,no Docker engine answers: preparing this machine with playbooks/host.yml: about a minute)
	@ANSIBLE_DISPLAY_SKIPPED_HOSTS=false ANSIBLE_CALLBACK_RESULT_FORMAT=yaml \
		$(BIN)/ansible-playbook --inventory localhost, playbooks/host.yml </dev/null

images: setup ## Build the images
	$(call step,images)
	@$(BIN)/lab build

lint: venv ## Check the style and the types of everything
	$(call step,ruff)
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --check
	$(call step,mypy)
	@$(BIN)/mypy --no-error-summary $(PYTHON_TREES)
	$(call step,import contracts)
	@$(BIN)/lint-imports --no-logo --no-cache >.venv/contracts || { cat .venv/contracts; exit 1; }
	$(call step,dependencies)
	@$(BIN)/deptry --no-ansi lab 2>.venv/dependencies || { cat .venv/dependencies; exit 1; }
	$(call step,shellcheck)
	@$(SHELL_SCRIPTS) | xargs --no-run-if-empty $(BIN)/shellcheck
	$(call step,hadolint)
	@$(DOCKERFILES) | xargs -0 --no-run-if-empty $(BIN)/hadolint
	$(call step,yamllint)
	@$(YAML) | xargs -0 --no-run-if-empty $(BIN)/yamllint --strict --config-data '$(YAML_RULES)'
	$(call step,ansible)
	@$(BIN)/ansible-playbook --inventory playbooks/fleet.example.ini --syntax-check playbooks/*.yml </dev/null >/dev/null

docs: venv ## Write README.md and docs/ again: their figures and pictures come from the committed runs
	$(call step,docs)
	@$(BIN)/python scripts/pages.py

lock: venv ## Pin the newest packages again, with hashes, in requirements.txt
	$(call step,requirements.txt)
	@$(BIN)/uv pip compile --quiet --no-config --upgrade --all-extras --generate-hashes \
		--python-version 3.11 --python-platform x86_64-unknown-linux-gnu \
		--custom-compile-command 'make lock' --output-file requirements.txt pyproject.toml

clean: ## Remove what setup and the tests left in this folder (no image, no run)
	rm -rf .venv build ./*.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -r {} +
