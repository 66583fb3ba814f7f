# Each task is a thin call; what it does is in the script it names.

PYTHON ?= python3
UV ?= uv
NAME ?= detection

VENV_PYTHON := .venv/bin/python
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links \
	--exclude-newer "7 days" --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help demo test thorough nightly lint format up down bench lock sbom agent release clean

help: ## Show every task and what it does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Put a real, bounded fault on this machine and watch it being fixed
	@$(PYTHON) scripts/bootstrap.py --for demo
	@$(VENV_PYTHON) -m sentienguard.cli.main demo

test: ## Run every check, as CI does
	@$(PYTHON) scripts/bootstrap.py --for test
	@$(VENV_PYTHON) scripts/check.py

thorough: ## Run every check and the long searches that run at night
	@$(PYTHON) scripts/bootstrap.py --for test
	@EFFORT=thorough $(VENV_PYTHON) scripts/check.py --thorough

nightly: ## Run what CI runs at night, and write what ran to dist/nightly.json
	@$(PYTHON) scripts/bootstrap.py --for test
	@$(VENV_PYTHON) scripts/nightly.py

lint: ## Check format, style, types and imports
	@$(PYTHON) scripts/bootstrap.py --for test
	@$(VENV_PYTHON) scripts/check.py --only format,lint,types,imports

format: ## Rewrite the Python files as the formatter wants them
	@$(PYTHON) scripts/bootstrap.py --for test
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --select I --fix .

up: ## Start the control plane and an agent on this machine
	@$(PYTHON) scripts/bootstrap.py --for demo
	@$(VENV_PYTHON) -m sentienguard.cli.main up

down: ## Stop what `make up` started
	@$(PYTHON) scripts/bootstrap.py --for demo
	@$(VENV_PYTHON) -m sentienguard.cli.main down

bench: ## Measure one claim: make bench NAME=detection
	@$(PYTHON) scripts/bootstrap.py --for test
	@$(VENV_PYTHON) -m benchmarks $(NAME)

lock: ## Lock the dependencies again, leaving out releases younger than seven days (needs uv)
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: pipx install uv, or make lock UV=path" >&2; exit 1; }
	$(COMPILE) --group pyproject.toml:installer --output-file requirements/installer.txt
	$(COMPILE) pyproject.toml --group build --output-file requirements/runtime.txt
	$(COMPILE) pyproject.toml --group dev --constraint requirements/runtime.txt --output-file requirements/dev.txt

sbom: ## Write the bill of materials of what is shipped to dist/ (CycloneDX)
	@$(PYTHON) scripts/bootstrap.py --for test
	@$(VENV_PYTHON) scripts/sbom.py

agent: ## Build the agent as one file into dist/
	@$(PYTHON) scripts/bootstrap.py --for test
	@$(VENV_PYTHON) scripts/agent_file.py

release: ## Build what is released into dist/, and sign it: make release KEY=path
	@$(PYTHON) scripts/bootstrap.py --for test
	@$(VENV_PYTHON) scripts/release.py $(if $(KEY),--key "$(KEY)")

clean: ## Remove what the other tasks made in this checkout
	rm -rf .venv dist .coverage htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	rm -rf ui/node_modules src/sentienguard/controlplane/ui_dist
	find scripts src tests -name __pycache__ -type d -prune -exec rm -rf {} +
