"""A live restore: how far it is, when it will be there, and whether it is going where it should."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models.common import BigValueTextMode

from dashboards.builder import meanings
from dashboards.builder.cluster import findings_table
from dashboards.builder.frame import Rows, frame
from dashboards.builder.panels import OBJECTIVE, Text, graph, history, number
from dashboards.builder.queries import ONE, each, metric, since
from rules.alerting.panels import RESTORE, Panel

_STATES: Final = {
    2: ("PAUSED", meanings.ORANGE),
    1: ("IN RECOVERY", meanings.BLUE),
    0: ("NOT IN RECOVERY", meanings.GREY),
}
_REACHED: Final = {1: ("REACHED", meanings.GREEN), 0: ("NOT REACHED", meanings.RED)}
_REPLAYED: Final = each("pitr_recovery_replayed_bytes")
_TARGET: Final = each("pitr_recovery_target_bytes")
# Paused stands above in recovery; the log may tell that a restore goes on and not whether it waits.
_STATE: Final = (
    f"max by (cluster) (2 * ({metric('pitr_recovery_paused')} == 1) "
    f"or {metric('pitr_recovery_in_progress')})"
)


def restore() -> build.Dashboard:
    return frame(
        RESTORE,
        "PITR / Live restore",
        "A running restore, and the verdict of the last one.",
        _rows(),
        many=False,
        refresh="5s",
        since="now-1h",
    )


def _rows() -> Rows:
    return {
        "Where it is": [_state(), _progress(), _remaining(), _eta(), *_last()],
        "How it goes": [_positions(), _rate(), _history(), _events()],
        "What is wrong with it": [_findings()],
    }


def _state() -> stat.Panel:
    text = Text(
        title="State",
        means="Whether the server is in recovery: by SQL, by its log while SQL does not answer.",
        do="PAUSED waits for a person: look at the data, then `SELECT pg_wal_replay_resume()` or "
        "choose another target.",
    )
    return number(Panel.RESTORE_STATE, text, {"": _STATE}, mappings=meanings.words(_STATES))


def _progress() -> stat.Panel:
    text = Text(
        title="Replayed",
        means="How much of the way is done, counted from the first position seen in the shown "
        "range. UNKNOWN: nothing is being replayed, or its end is not known.",
        do="Widen the range to the start of the restore.",
    )
    first = f"min by (cluster) (min_over_time({metric('pitr_recovery_replayed_bytes')}[$__range]))"
    # Replay ends after the record that holds the target: a little further than asked for.
    share = f"clamp_max(({_REPLAYED} - {first}) / ({_TARGET} - {first}), 1)"
    colors = ((0, meanings.BLUE), (1, meanings.GREEN))
    return number(Panel.RESTORE_PROGRESS, text, {"": share}, unit="percentunit", colors=colors)


def _remaining() -> stat.Panel:
    text = Text(
        title="Still to replay",
        means="WAL between the position reached and the one that replay goes to.",
        do="If it does not become less: see the curves and the findings below.",
    )
    remaining = f"clamp_min({_TARGET} - {_REPLAYED}, 0)"
    colors = ((0, meanings.BLUE),)
    return number(Panel.RESTORE_REMAINING, text, {"": remaining}, unit="bytes", colors=colors)


def _eta() -> stat.Panel:
    text = Text(
        title="There in",
        means="Time to the target at the pace of the last minute. UNKNOWN while it is paused, or "
        "before there is a pace.",
        do="Longer than you can wait: faster storage, recovery_prefetch, or a restore_command "
        "that fetches ahead (`pitr-agent fetch-wal --prefetch`).",
    )
    colors = ((0, meanings.BLUE),)
    eta = each("pitr_recovery_eta_seconds")
    return number(Panel.RESTORE_ETA, text, {"": eta}, unit="s", colors=colors)


def _last() -> list[stat.Panel]:
    outcome = Text(
        title="Last outcome, since",
        means="What the last restore in the server's log came to, and how long ago. UNKNOWN: the "
        "log tells of none.",
        do="failed: the findings below name the cause.",
    )
    reached = Text(
        title="Its target",
        means="Whether that restore ended where it was told to. UNKNOWN: no target was seen.",
        do="NOT REACHED: the database is open with another state than was asked for. Do not let "
        "the application in; restore again.",
    )
    came = since("pitr_recovery_last_outcome", "pitr_recovery_last_outcome_timestamp_seconds")
    made = number(
        Panel.RESTORE_OUTCOME,
        outcome,
        {"{{outcome}}": came},
        unit="s",
        colors=((0, meanings.BLUE),),
    )
    return [
        made.text_mode(BigValueTextMode.VALUE_AND_NAME),
        number(
            Panel.RESTORE_REACHED,
            reached,
            {"": each("pitr_recovery_last_reached_target")},
            mappings=meanings.words(_REACHED),
        ),
    ]


def _positions() -> timeseries.Panel:
    text = Text(
        title="Position in the WAL",
        means="The position replayed up to, and the dashed one that replay goes to: the target, "
        "or without one the end of the archive. Both are LSNs, as bytes.",
        do="A flat curve is a stall: restore_command hangs, waits for a segment, or the pause of a "
        "target was reached.",
    )
    queries = {"replayed": _REPLAYED, OBJECTIVE: _TARGET}
    return graph(Panel.RESTORE_POSITIONS, text, queries, unit="bytes")


def _rate() -> timeseries.Panel:
    text = Text(
        title="Pace of replay",
        means="How much WAL is replayed a second, over the last scrapes.",
        do="Bursts with pauses between them: restore_command is what it waits for.",
    )
    pace = f"max by (cluster) (deriv({metric('pitr_recovery_replayed_bytes')}[$__rate_interval]))"
    return graph(Panel.RESTORE_RATE, text, {"pace": f"clamp_min({pace}, 0)"}, unit="binBps")


def _history() -> statetimeline.Panel:
    text = Text(
        title="State over time",
        means="In recovery, paused, or neither. A gap: neither SQL nor the log said.",
        do="Many short recoveries one after the other: the server is being restarted.",
    )
    mappings = meanings.words(_STATES)
    return history(Panel.RESTORE_HISTORY, text, {"state": _STATE}, mappings=mappings)


def _events() -> timeseries.Panel:
    text = Text(
        title="Events from the server's log",
        means="What the server logged of recovery and archiving, when it happened. `pitr-watch` "
        "prints each with what its line says.",
        do="The same event again and again is a restore that does not get on: read its line.",
    )
    count = f"sum by (event) ({metric('pitr_recovery_events_total')})"
    # A counter is born with its first event, which increase() does not see.
    before = f"{count[:-1]} offset $__rate_interval)"
    queries = {"{{event}}": f"(clamp_min({count} - {before}, 0) or {count}) > 0"}
    return graph(Panel.RESTORE_EVENTS, text, queries, unit="short", bars=True)


def _findings() -> table.Panel:
    text = Text(
        title="Findings about restores",
        means="What the checks on the live restore and on the last one found.",
        do="Open the runbook.",
    )
    selector = f'{ONE}, id=~"restore_.+|recovery_.+", severity!="info"'
    return findings_table(Panel.RESTORE_FINDINGS, text, selector, width=24)
