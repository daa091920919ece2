"""What `pitr-agent` and its commands say of themselves: a description and examples each."""

from __future__ import annotations

from typing import Any, Final


def _help(**texts: str) -> dict[str, Any]:
    return texts


# The exit statuses of what gives no verdict.
_PRINTED: Final = """\
exit status:
  0  printed, or written
  3  it could not be
  64 the command line is wrong
"""

PROGRAM: Final = _help(
    description="""\
Polls PostgreSQL servers, their WAL archives and logs on a schedule, and serves the results as
Prometheus metrics. It only reads: a role that is a member of pg_monitor is enough.
""",
    epilog="""\
examples:
  pitr-agent check-config --config pitr.yaml
  pitr-agent run --config pitr.yaml --web.listen-address 127.0.0.1:9870
  pitr-agent run --config pitr.yaml --web.listen-address :9870 --web.config.file web.yaml
  kill -HUP PID                                      reads the configuration again
  pitr-agent rules --runbooks-url https://example.org/runbooks > pitr-alerts.yml
  pitr-agent completion bash pitr-check > /etc/bash_completion.d/pitr-check
  pitr-agent fetch-wal --help
""",
)

RUN: Final = _help(
    help="poll and serve until SIGTERM",
    description="""\
Polls, judges and serves until SIGTERM or SIGINT; SIGHUP reads the configuration again. Its log goes
to stderr. Under systemd (Type=notify) it reports when it is ready and that its schedule runs.

served:
  /metrics       Prometheus metrics (--web.telemetry-path)
  /healthz       503 when the schedule itself is stuck
  /readyz        503 until every cluster has been judged
  /api/v1/...    JSON, described by /openapi.json
""",
    epilog="""\
examples:
  pitr-agent run --config pitr.yaml
  pitr-agent run --config pitr.yaml --web.listen-address :9870 --web.config.file web.yaml
  pitr-agent run --config pitr.yaml --log.format json --log.level debug
  curl -s http://127.0.0.1:9870/metrics | grep '^pitr_finding.* [1-9]'
""",
    statuses="""\
exit status:
  0  it was told to stop, and did
  3  it could not serve
  64 the command line or the configuration is wrong
""",
)

CHECK_CONFIG: Final = _help(
    help="check a configuration file",
    description="""\
Reads a configuration as `run` does, with its included files, and reports every error at once, with
file and line, and what it names that is not there. Polls nothing. With --try it connects to each
server as the agent does, lists and reads each source once, and says which rights are missing and
what to type; run it as the agent's account. It ends with 3 when a source cannot be read.
""",
    epilog="""\
examples:
  pitr-agent check-config --config /etc/pitr-agent/pitr.yaml
  sudo -u pitr-agent pitr-agent check-config --try --config /etc/pitr-agent/pitr.yaml
  pitr-agent check-config --config pitr.yaml && systemctl reload pitr-agent
""",
    statuses="""\
exit status:
  0  the configuration is valid
  3  it could not be checked
  64 it is wrong, or the command line is
""",
)

RULES: Final = _help(
    help="print the alerting rules for Prometheus",
    description="""\
Prints the catalogue as alerting rules for Prometheus: the alerts that the agent itself raises,
under the same labels, and the few about the agent that it cannot raise itself. With --for textfile,
where no agent runs: those, a verdict that grows old, and a run that could look at nothing.
""",
    epilog="""\
examples:
  pitr-agent rules > /etc/prometheus/rules/pitr-alerts.yml
  pitr-agent rules --for textfile --stale-after 2h > /etc/prometheus/rules/pitr-alerts.yml
  pitr-agent rules --hold 1m --runbooks-url https://example.org/runbooks | promtool check rules
""",
    statuses=_PRINTED,
)

DOCS: Final = _help(
    help="write the pages on findings, alerts and metrics",
    description="""\
Writes the pages generated from the catalogue: findings, metrics, and one runbook per alert.
""",
    epilog="""\
examples:
  pitr-agent docs docs
  pitr-agent docs /usr/share/doc/pitr-agent
""",
    statuses=_PRINTED,
)

COMPLETION: Final = _help(
    help="print a shell's completion of a program",
    description="""\
Prints the completion script of one of the four programs. It is static: pressing Tab does not
start Python. Print it again after an upgrade.
""",
    epilog="""\
examples:
  source <(pitr-agent completion bash pitr-check)
  pitr-agent completion bash pitr-agent > /etc/bash_completion.d/pitr-agent
  pitr-agent completion zsh pitr-watch > ~/.zfunc/_pitr-watch
""",
    statuses=_PRINTED,
)

DRILL_UNIT: Final = _help(
    help="make the drill that an agent orders (pitr-drill@.service runs it)",
    description="""\
Makes one restore drill, which a line of JSON on standard input orders, and writes what it says to
standard output. pitr-drill.socket starts it for each drill that an agent orders; the drill ends
when the input does.
""",
    epilog="""\
examples:
  systemctl enable --now pitr-drill.socket           runs pitr-agent drill-unit for each order
""",
)

NEW_EVIDENCE_KEY: Final = _help(
    help="make a key that signs evidence",
    description="""\
Makes an Ed25519 key for signed evidence: FILE, the private half, which only its owner can read, and
FILE.pub. Overwrites nothing.
""",
    epilog="""\
examples:
  pitr-agent new-evidence-key /etc/pitr-agent/evidence.key
  pitr-check --archive /backup/wal --backups /backup --evidence /var/lib/pitr-evidence \\
             --evidence-key /etc/pitr-agent/evidence.key
  pitr-check verify-evidence /var/lib/pitr-evidence --key evidence.key.pub
""",
)
