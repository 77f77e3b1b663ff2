# The project's commands; `make help` lists them. Needed: Python 3.11 or later, make and git.

PYTHON ?= python3
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
LOCK_FILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock"
LOCK := $(LOCK_FILE) pyproject.toml
NETWORKS := examples/networks
SERVING := benchmarks/serving

.DEFAULT_GOAL := help
.PHONY: help install demo cluster e2e test soak lint format crds cli-reference metrics-reference chart-readme bench networks paper lock clean

help: ## Explain these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

install: $(INSTALLED) ## Install everything into .venv (uses PYTHON, by default python3)

# Only what the lock file names, each file checked against its hash. uv is one of the locked
# packages: pip installs it, and it installs the rest.
$(INSTALLED): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "fin-operator needs Python 3.11 or later, and '$(PYTHON)' is:" \
			"$$($(PYTHON) --version 2>&1 || true)." \
			"Name another one: make $(or $(MAKECMDGOALS),install) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
		echo "'$(PYTHON)' can't make virtual environments." \
			"On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@rm -f $@
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@awk '/^[^ #]/ {locked_uv = /^uv==/} locked_uv' requirements.lock > $(VENV)/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r $(VENV)/uv.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: install ## Show it all on a real control plane on this machine
	@$(BIN)/python -m testbed.demo

cluster: install ## Start a cluster with real nodes on this machine (Linux, root); Ctrl-C ends it
	@$(BIN)/python -m testbed cluster

e2e: install ## Test the operator on real nodes: KUBECONFIG's cluster, or one of this machine (Linux, root)
	$(BIN)/pytest $(if $(KUBECONFIG),--kubeconfig="$(KUBECONFIG)") $(PYTEST_ARGS) tests/e2e

test: lint ## Run every check and every test (PYTEST_ARGS passes arguments to pytest)
	$(BIN)/pytest $(PYTEST_ARGS)

soak: install ## Look for what the tests miss in thousands of random systems; takes long
	$(BIN)/pytest $(PYTEST_ARGS) tests/planning/soak_joint.py

lint: install ## Check style, types, import rules and dependencies
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry operator testbed

format: install ## Format the code, and mend what ruff can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

crds: install ## Generate the CRDs, in crds/ and in the chart
	$(BIN)/python -m fin.api.crd

cli-reference: install ## Generate the reference of the command line from its help
	$(BIN)/python -m fin.cli.reference

metrics-reference: install ## Generate the reference of the metrics from their definitions
	$(BIN)/python -m fin.controller.reference

chart-readme: install ## Generate the chart's README from its values
	$(BIN)/python -m helm.chart_readme

bench: install ## Measure what the benchmarks measure
	$(BIN)/python -m benchmarks

networks: install ## Train the example networks anew (PyTorch, in a .venv of its own: gigabytes)
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(NETWORKS)/.venv
	$(BIN)/uv pip install --quiet --python $(NETWORKS)/.venv/bin/python --require-hashes \
		-r $(NETWORKS)/requirements.lock
	$(NETWORKS)/.venv/bin/python $(NETWORKS)/train.py

paper: install ## Compute the paper's figures anew: docs/paper.md and docs/paper
	$(BIN)/python -m benchmarks.paper

lock: install ## Bring the lock files up to pyproject.toml
	$(LOCK) --all-extras --output-file requirements.lock
	$(LOCK) --extra operator --constraint requirements.lock \
		--output-file requirements-operator.lock
	$(LOCK) --extra segment --constraint requirements.lock \
		--output-file requirements-segment.lock
	$(LOCK) --extra profile --constraint requirements.lock \
		--output-file requirements-profile.lock
	$(LOCK_FILE) $(NETWORKS)/requirements.in --python-version 3.11 --output-file $(NETWORKS)/requirements.lock
	$(LOCK_FILE) $(SERVING)/mlserver.in --python-version 3.11 --output-file $(SERVING)/mlserver.lock

clean: ## Remove everything that the other commands made here
	rm -rf $(VENV) $(NETWORKS)/.venv $(SERVING)/.venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache \
		build dist
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
