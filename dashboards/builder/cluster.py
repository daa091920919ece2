"""One cluster: to which instants it can be restored, what a loss would cost, and why."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import stat, table

from dashboards.builder import archive, backups, drills, exposure, meanings, readings
from dashboards.builder.frame import TO_RUNBOOK, Rows, frame
from dashboards.builder.panels import Column, Text, number, rows
from dashboards.builder.queries import ONE, at, blind_count, copied, of_objective, verdict
from rules.alerting.panels import CLUSTER, Panel


def cluster() -> build.Dashboard:
    return frame(
        CLUSTER,
        "PITR / One cluster",
        "To which instants this cluster can be restored, and what prevents it.",
        _rows(),
        many=False,
        refresh="15s",
        since="now-6h",
    )


def _rows() -> Rows:
    return {
        "Can it be restored?": [*_now(), findings(), _blind()],
        "What a loss would cost": exposure.panels(),
        "Archiving": archive.archiving(),
        "The archive": archive.content(),
        "Base backups and restores": backups.panels(),
        "Restore drills": drills.panels(),
        "The agent's readings": readings.panels(),
    }


def _now() -> list[stat.Panel]:
    return [_verdict(), *_instants(), *_shares(), _blind_count()]


def _verdict() -> stat.Panel:
    text = Text(
        title="Verdict",
        means="The worst of all findings. UNKNOWN: a check lacks its evidence, the last verdict is "
        "old, or the agent is no longer scraped.",
        do="Read the findings below, and the runbook of the worst.",
    )
    mappings = meanings.words(meanings.VERDICTS)
    return number(Panel.VERDICT, text, {"": verdict()}, mappings=mappings)


def _instants() -> list[stat.Panel]:
    latest = Text(
        title="Latest restorable",
        means="When the last transaction was committed that a restore would bring back. It is old "
        "on an idle cluster; whether anything is missing is said by the exposure.",
        do="If it does not advance while transactions are committed: check archiving.",
    )
    earliest = Text(
        title="Earliest restorable",
        means="Where the unbroken window begins that holds the latest restorable instant. Older "
        "instants lie in other windows, beyond a gap, or before every backup.",
        do="If it jumped forward: a segment was lost, or backups expired too soon.",
    )
    instants = {
        Panel.LATEST: (latest, "pitr_latest_restorable_timestamp_seconds"),
        Panel.EARLIEST: (earliest, "pitr_earliest_restorable_timestamp_seconds"),
    }
    return [
        number(panel, text, {"": at(name)}, unit="dateTimeFromNow", colors=((0, meanings.BLUE),))
        for panel, (text, name) in instants.items()
    ]


def _shares() -> list[stat.Panel]:
    exposed = Text(
        title="Exposure, of the RPO",
        means="The age of the oldest transaction that a disk loss would cost now, as a share of "
        "the recovery point objective.",
        do="Over 100 %: see whether the archiver fails, hangs or falls behind.",
    )
    estimate = Text(
        title="Restore, of the RTO",
        means="How long replay would take, and the copy of the backup where a drill measured it, "
        "as a share of the recovery time objective. UNKNOWN until a restore was measured, or if "
        "the configuration states no rto.",
        do="Over 100 %: take base backups more often. UNKNOWN: restore once, or run a drill.",
    )
    shares = {
        Panel.EXPOSURE_OF_OBJECTIVE: (exposed, "pitr_recovery_point_exposure_seconds", "rpo"),
        Panel.RESTORE_OF_OBJECTIVE: (estimate, "pitr_restore_duration_estimate_seconds", "rto"),
    }
    return [
        number(
            panel,
            text,
            {"": of_objective(name, of)},
            unit="percentunit",
            colors=meanings.OF_OBJECTIVE,
        )
        for panel, (text, name, of) in shares.items()
    ]


def _blind_count() -> stat.Panel:
    text = Text(
        title="Blind checks",
        means="How many checks lack their evidence. They keep their last result.",
        do="See the table of blind checks, and the collectors at the end of the page.",
    )
    colors = ((0, meanings.GREEN), (1, meanings.PURPLE))
    return number(Panel.BLIND_COUNT, text, {"": blind_count()}, colors=colors)


def findings() -> table.Panel:
    text = Text(
        title="Findings",
        means="What the checks found, without what is only informative. How many: segments, "
        "backups or files, as the check counts.",
        do="Open the runbook: it says what it means, how to look and what to do. "
        "`pitr-check` prints the evidence of each.",
    )
    return findings_table(Panel.FINDINGS, text, f'{ONE}, severity!="info"', width=16)


def findings_table(panel: Panel, text: Text, selector: str, *, width: int) -> table.Panel:
    found = f"max by (id, severity) (pitr_finding{{{selector}}}) > 0"
    columns = {
        "severity": Column(title="Severity", mappings=meanings.severities(), width=100),
        "id": Column(title="Runbook", mappings=meanings.alert_names(), link=TO_RUNBOOK, width=230),
        "says": Column(title="What it says", mappings=meanings.alert_titles()),
        "Value": Column(title="How many", width=100),
    }
    return rows(
        panel,
        text,
        copied(found, "id", "says"),
        columns,
        nothing="Nothing was found; the verdict says whether everything was checked",
        sort_by="Severity",
        width=width,
    )


def _blind() -> table.Panel:
    text = Text(
        title="Blind checks",
        means="Checks that lack their evidence: nothing new would be noticed.",
        do="Mend the collector that fails: a server that does not answer, a right that is "
        "missing, a directory that is not mounted.",
    )
    blind = f"max by (id) (pitr_check_known{{{ONE}}} == 0)"
    columns = {"id": Column(title="Check", mappings=meanings.alert_names())}
    nothing = "No check is blind, or the agent is not scraped: see the verdict"
    return rows(Panel.BLIND, text, blind, columns, nothing=nothing, sort_by="Check", width=8)
