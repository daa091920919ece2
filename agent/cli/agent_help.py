"""What `pitr-agent` and its commands say of themselves: a description and examples each."""

from __future__ import annotations

from typing import Final

DESCRIPTION: Final = """\
Polls PostgreSQL servers, their WAL archives and logs on a schedule, and serves what that proves
as Prometheus metrics. It only reads: a role that is a member of pg_monitor is enough.
"""

EPILOG: Final = """\
examples:
  pitr-agent check-config --config pitr.yaml
  pitr-agent run --config pitr.yaml --web.listen-address 127.0.0.1:9870
  pitr-agent run --config pitr.yaml --web.listen-address :9870 --web.config.file web.yaml
  kill -HUP PID                                      reads the configuration again
  pitr-agent rules --runbooks-url https://example.org/runbooks > pitr-alerts.yml
  pitr-agent completion bash pitr-check > /etc/bash_completion.d/pitr-check
  pitr-agent fetch-wal --help
"""

RUN: Final = """\
Polls, judges and serves until SIGTERM or SIGINT; SIGHUP reads the configuration again. Its log goes
to stderr. Under systemd (Type=notify) it says when it serves, and that its schedule goes on.

served:
  /metrics       Prometheus metrics (--web.telemetry-path)
  /healthz       503 when the schedule itself stands still
  /readyz        503 until every cluster was judged
  /api/v1/...    JSON, described by /openapi.json
"""

RUN_EXAMPLES: Final = """\
examples:
  pitr-agent run --config pitr.yaml
  pitr-agent run --config pitr.yaml --web.listen-address :9870 --web.config.file web.yaml
  pitr-agent run --config pitr.yaml --log.format json --log.level debug
  curl -s http://127.0.0.1:9870/metrics | grep '^pitr_finding.* [1-9]'
"""

CHECK_CONFIG: Final = """\
Reads a configuration as `run` would, its included files too, and says what is wrong with file and
line, all of it at once. Nothing is polled.
"""

CHECK_CONFIG_EXAMPLES: Final = """\
examples:
  pitr-agent check-config --config /etc/pitr-agent/pitr.yaml
  pitr-agent check-config --config pitr.yaml && systemctl reload pitr-agent
"""

RULES: Final = """\
Prints the catalogue as alerting rules for Prometheus: the alerts that the agent raises by itself,
under the same labels, and the few that only somebody else can raise of the agent.
"""

RULES_EXAMPLES: Final = """\
examples:
  pitr-agent rules > /etc/prometheus/rules/pitr-alerts.yml
  pitr-agent rules --hold 1m --runbooks-url https://example.org/runbooks | promtool check rules
"""

DOCS: Final = """\
Writes the pages that are made of the catalogue: findings, metrics, and a runbook an alert.
"""

DOCS_EXAMPLES: Final = """\
examples:
  pitr-agent docs docs
"""

COMPLETION: Final = """\
Prints the completion of one of the four programs, made of its own options. It is static: pressing
Tab starts no Python. Print it anew after an upgrade.
"""

COMPLETION_EXAMPLES: Final = """\
examples:
  source <(pitr-agent completion bash pitr-check)
  pitr-agent completion bash pitr-agent > /etc/bash_completion.d/pitr-agent
  pitr-agent completion zsh pitr-watch > ~/.zfunc/_pitr-watch
"""
