"""The fleet: every cluster by its worst verdict, what fires, and what is not visible."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from dashboards.builder import meanings
from dashboards.builder.frame import TO_CLUSTER, TO_RUNBOOK, Rows, frame
from dashboards.builder.panels import Column, Joined, Text, graph, joined, number, rows
from dashboards.builder.queries import (
    SOME,
    age,
    blind_count,
    breaches,
    copied,
    each,
    of_objective,
    seen,
    verdict,
)
from rules.alerting.panels import FLEET, Panel

_FIRING: Final = 'alertname=~"Pitr.+", alertstate="firing", cluster=~"$cluster"'
_AGES: Final = ("Latest restorable", "Reaches back", "Newest backup", "Last good drill")
_CLUSTER: Final = Column(title="Cluster", link=TO_CLUSTER, width=160)
_SCRAPED: Final = {1: ("YES", meanings.GREEN), 0: ("NO", meanings.RED)}
_RELOADED: Final = {1: ("IN FORCE", meanings.GREEN), 0: ("REFUSED", meanings.RED)}


def fleet() -> build.Dashboard:
    return frame(
        FLEET,
        "PITR / Fleet",
        "Which clusters can be restored to which instants, the worst first.",
        _rows(),
        many=True,
        refresh="30s",
        since="now-6h",
    )


def _rows() -> Rows:
    return {
        "Can they be restored?": [_verdicts(), _clusters()],
        "What a loss would cost, what a restore would take": [_exposure(), _estimate()],
        "Are the goals kept?": [_goals(), _window()],
        "What is wrong": [_alerts(), _blind()],
        "The agents": [_agents()],
    }


def _verdicts() -> stat.Panel:
    text = Text(
        title="Clusters by verdict",
        means="How many clusters there are of each verdict. UNKNOWN: a check lacks its evidence, "
        "the last verdict is old, or no scrape reaches the agent that saw the cluster in the shown "
        "range.",
        do="Begin with CRITICAL: what is counted there cannot be restored as it should.",
    )
    counts = {
        word: f"count({verdict(SOME)} == {rank}) or 0 * count({seen(SOME)})"
        for rank, (word, _) in meanings.VERDICTS.items()
    }
    made = number(Panel.FLEET_VERDICTS, text, counts, width=24)
    for word, color in meanings.VERDICTS.values():
        shown = meanings.steps((0, meanings.GREY), (1, color)).build()
        made.override_by_name(word, [DynamicConfigValue(id_val="thresholds", value=shown)])
    return made


def _clusters() -> table.Panel:
    text = Text(
        title="Clusters, the worst first",
        means="One row a cluster. An empty cell is not known, or no objective is set. "
        "The latest restorable instant is that of a transaction: on an idle cluster it is old "
        "while nothing is exposed.",
        do="Open the cluster. Over 100 % of an objective is over it.",
    )
    content = Joined(
        by="cluster",
        queries={
            "Verdict": verdict(SOME),
            "Findings": f'sum by (cluster) (pitr_finding{{{SOME}, severity!="info"}})',
            "Blind checks": blind_count(SOME),
            "Alerts": f'count by (cluster) (ALERTS{{{_FIRING}, cluster!=""}})',
            "Exposed": each("pitr_recovery_point_exposure_seconds", SOME),
            "of RPO": of_objective("pitr_recovery_point_exposure_seconds", "rpo", SOME),
            "Latest restorable": age("pitr_latest_restorable_timestamp_seconds", SOME),
            "Reaches back": age("pitr_earliest_restorable_timestamp_seconds", SOME),
            "Restore takes": each("pitr_restore_duration_estimate_seconds", SOME),
            "of RTO": of_objective("pitr_restore_duration_estimate_seconds", "rto", SOME),
            "Newest backup": age("pitr_backup_last_finished_timestamp_seconds", SOME),
            "Last good drill": age("pitr_drill_last_success_timestamp_seconds", SOME),
        },
        columns=[
            Column(title="cluster", link=TO_CLUSTER),
            Column(title="Verdict", mappings=meanings.words(meanings.VERDICTS), width=110),
            Column(title="Findings", colors=meanings.NONE_IS_GOOD),
            Column(title="Blind checks", colors=((0, meanings.GREEN), (1, meanings.PURPLE))),
            Column(title="Alerts", colors=((0, meanings.GREEN), (1, meanings.RED))),
            *(Column(title=title, unit="s") for title in ("Exposed", "Restore takes")),
            *(Column(title=title, unit="s") for title in _AGES),
            *(
                Column(title=title, unit="percentunit", colors=meanings.OF_OBJECTIVE)
                for title in ("of RPO", "of RTO")
            ),
        ],
    )
    nothing = "UNKNOWN: no cluster was judged in the shown range"
    return joined(Panel.FLEET_CLUSTERS, text, content, nothing=nothing, sort_by="Verdict")


def _exposure() -> timeseries.Panel:
    text = Text(
        title="Exposure, of the recovery point objective",
        means="The age of the oldest transaction that the loss of a server's disk would cost now, "
        "as a share of the cluster's objective. A gap in a curve: not known then.",
        do="Over 100 %: look at the cluster's archiving.",
    )
    share = of_objective("pitr_recovery_point_exposure_seconds", "rpo", SOME)
    return _shares(Panel.FLEET_EXPOSURE, text, share)


def _estimate() -> timeseries.Panel:
    text = Text(
        title="Restore estimate, of the recovery time objective",
        means="Replay to the latest restorable instant at the rate of measured restores, and the "
        "copy of the backup where a drill measured it, as a share of the cluster's objective. "
        "Clusters without a measured restore or without that objective are not here.",
        do="Over 100 %: take base backups more often, or make replay faster.",
    )
    share = of_objective("pitr_restore_duration_estimate_seconds", "rto", SOME)
    return _shares(Panel.FLEET_RESTORE_ESTIMATE, text, share)


def _goals() -> table.Panel:
    text = Text(
        title="Goals that are broken or will be",
        means="What clusters were promised by their protection class or by objectives of their "
        "own. Less than 0: broken since then. Else how long, if all goes on as it went. A goal "
        "that is not here is kept, or nothing supports a forecast.",
        do="pitr-check fleet says on what each forecast rests, and who needs a backup.",
    )
    columns = {
        "cluster": _CLUSTER,
        "protection_class": Column(title="Class", width=120),
        "goal": Column(title="Goal", width=120),
        "Value": Column(title="Breaks in", unit="s", colors=meanings.UNTIL),
    }
    return rows(
        Panel.FLEET_GOALS,
        text,
        breaches(SOME),
        columns,
        nothing="No goal is broken or foreseen to be, or none is set",
        sort_by="Breaks in",
    )


def _window() -> timeseries.Panel:
    text = Text(
        title="Window, of its goal",
        means="How far back a restore reaches without a break, as a share of the goal. Clusters "
        "without such a goal are not here.",
        do="Under 100 %: keep backups and WAL for longer, or wait until there are enough.",
    )
    reaches = age("pitr_earliest_restorable_timestamp_seconds", SOME)
    share = f"({reaches}) / {each('pitr_window_goal_seconds', SOME)}"
    return _shares(Panel.FLEET_WINDOW, text, share)


def _shares(panel: Panel, text: Text, share: str) -> timeseries.Panel:
    """A curve a cluster, of what its goal allows."""
    return graph(panel, text, {"{{cluster}}": share}, unit="percentunit", limit=1)


def _alerts() -> table.Panel:
    text = Text(
        title="Alerts that fire",
        means="What Prometheus has raised by the rules of dashboards/prometheus. Without those "
        "rules this stays empty: the verdicts above do not depend on it.",
        do="Open the runbook of the alert.",
    )
    fires = f"max by (alertname, severity, cluster) (ALERTS{{{_FIRING}}})"
    columns = {
        "severity": Column(title="Severity", width=90),
        "cluster": _CLUSTER,
        "alertname": Column(title="Runbook", link=TO_RUNBOOK, width=220),
        "says": Column(title="What it says", mappings=meanings.alert_titles()),
    }
    return rows(
        Panel.FLEET_ALERTS,
        text,
        copied(fires, "alertname", "says"),
        columns,
        nothing="No alert fires, or the rules are not loaded",
        sort_by="Cluster",
    )


def _blind() -> table.Panel:
    text = Text(
        title="Blind checks",
        means="Checks that lack their evidence: they keep their last result, and nothing new would "
        "be noticed.",
        do="Open the cluster and see which collector fails.",
    )
    blind = f"max by (cluster, id) (pitr_check_known{{{SOME}}} == 0)"
    columns = {
        "cluster": _CLUSTER,
        "id": Column(title="Check", mappings=meanings.alert_names(), width=220),
        "says": Column(title="What it looks for", mappings=meanings.alert_titles()),
    }
    return rows(
        Panel.FLEET_BLIND,
        text,
        copied(blind, "id", "says"),
        columns,
        nothing="No check of a cluster that is scraped is blind",
        sort_by="Cluster",
    )


def _agents() -> table.Panel:
    text = Text(
        title="Agents",
        means="Each agent that was scraped in the shown range: whether it is scraped now, whether "
        "the file of its configuration is what runs, and what its receivers were not told yet. "
        "An agent without receivers has no such numbers.",
        do="Not scraped: see Prometheus' page of targets, then the agent's service. A reload that "
        "failed: the agent's log has the line.",
    )
    agent = "by (instance) (pitr_build_info)"
    was = "by (instance) (last_over_time(pitr_build_info[$__range]))"
    content = Joined(
        by="instance",
        queries={
            "Scraped": f"group {agent} or 0 * group {was}",
            "Configuration": "min by (instance) (pitr_config_last_reload_successful)",
            "Configured": "time() - max by (instance) "
            "(pitr_config_last_reload_success_timestamp_seconds)",
            "Not told yet": "sum by (instance) (pitr_notifications_waiting)",
            "Attempts refused": "sum by (instance) "
            "(increase(pitr_notifications_failed_total[$__range]))",
            "Told": "sum by (instance) (increase(pitr_notifications_total[$__range]))",
        },
        columns=[
            Column(title="instance"),
            Column(title="Scraped", mappings=meanings.words(_SCRAPED)),
            Column(title="Configuration", mappings=meanings.words(_RELOADED)),
            Column(title="Configured", unit="s"),
            Column(title="Not told yet", colors=meanings.NONE_IS_GOOD),
            Column(title="Attempts refused", unit="short", colors=meanings.NONE_IS_GOOD),
            Column(title="Told", unit="short"),
        ],
    )
    nothing = "UNKNOWN: no agent was scraped in the shown range"
    return joined(Panel.FLEET_AGENTS, text, content, nothing=nothing, sort_by="Not told yet")
