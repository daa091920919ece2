"""Whether the agent itself can see: its collectors, and the age of its verdict."""

from __future__ import annotations

from grafana_foundation_sdk.builders import statetimeline, timeseries

from dashboards.builder import meanings
from dashboards.builder.panels import OBJECTIVE, Text, graph, history
from dashboards.builder.queries import ONE, age, each
from rules.alerting.panels import Panel

_READ = {1: ("read", meanings.GREEN), 0: ("failed", meanings.RED)}
_UP = {1: ("answers", meanings.GREEN), 0: ("does not answer", meanings.RED)}


def panels() -> list[timeseries.Panel | statetimeline.Panel]:
    return [_server(), _verdict_age(), _collectors(), _durations()]


def _server() -> statetimeline.Panel:
    text = Text(
        title="The server",
        means="Whether the PostgreSQL server answered the polls. A gap: it was not asked, or the "
        "agent was not scraped.",
        do="A dead primary is no excuse: the archive is judged nevertheless. See the live restore "
        "if it is being restored.",
    )
    mappings = meanings.words(_UP)
    return history(Panel.SERVER, text, {"server": each("pitr_up")}, mappings=mappings)


def _verdict_age() -> timeseries.Panel:
    text = Text(
        title="Age of the verdict",
        means="When the checks were last asked. Beyond the dashed line, its deadline, the verdict "
        "reads as UNKNOWN and PitrVerdictStale fires.",
        do="See the agent's /healthz and its log; restart it.",
    )
    queries = {
        "age": age("pitr_verdict_timestamp_seconds"),
        OBJECTIVE: f"{each('pitr_verdict_deadline_timestamp_seconds')} - "
        f"{each('pitr_verdict_timestamp_seconds')}",
    }
    return graph(Panel.VERDICT_AGE, text, queries, unit="s")


def _collectors() -> statetimeline.Panel:
    text = Text(
        title="Collectors",
        means="Whether each source could be read. What a failing one feeds keeps its last value "
        "in no metric: it is absent, and the checks that need it are blind.",
        do="The agent's log has the error. Rights, mounts and names of hosts come first.",
    )
    queries = {"{{collector}}": each("pitr_collector_success", ONE, by=("collector",))}
    return history(Panel.COLLECTORS, text, queries, mappings=meanings.words(_READ))


def _durations() -> timeseries.Panel:
    text = Text(
        title="How long each reading took",
        means="Duration of the last reading of each source. It is cut off at the configured "
        "timeout.",
        do="One that grows: a slow mount, a server under load, an archive of very many files.",
    )
    queries = {"{{collector}}": each("pitr_collector_duration_seconds", ONE, by=("collector",))}
    return graph(Panel.COLLECTOR_DURATIONS, text, queries, unit="s")
