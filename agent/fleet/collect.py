"""One cluster of the configuration, read and judged, with what an agent remembers of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from agent.archive.room import room_of
from agent.config.beside import beside_ledger
from agent.config.model import Config, ResolvedCluster
from agent.drill_schedule.history import read_drills
from agent.fleet.server import ask_exposure
from agent.notify.memory import read_cuts
from parsers.sentences import tr
from rules.case.case import Case
from rules.fleet.line import WORST_FIRST, FleetLine, line_of
from rules.model.findings import Severity, Verdict
from rules.verdict.check import load_catalogue
from rules.verdict.report import Report, give_verdict

Look = Callable[[int], Report]  # a cluster's number in the configuration -> its verdict


def fleet_lines(config: Config, look: Look, now: datetime) -> list[FleetLine]:
    """The worst first."""
    clusters = config.resolved()
    lines = []
    for index, cluster in enumerate(clusters):
        try:
            lines.append(_line(config, cluster, look(index), now))
        except Exception as error:  # a fault of ours is that cluster's alone, and no verdict
            why = tr("{kind}: {error}", kind=type(error).__name__, error=error)
            lines.append(_unknown(cluster, why, now))
    return sorted(lines, key=lambda line: line.rank)


def unknown_lines(config: Config, why: str, now: datetime) -> list[FleetLine]:
    """What can be told of them when the run was broken off."""
    return [_unknown(cluster, why, now) for cluster in config.resolved()]


def _unknown(cluster: ResolvedCluster, why: str, now: datetime) -> FleetLine:
    nothing = Case(context=cluster.context(now))
    return _drawn(nothing, cluster, Verdict.UNKNOWN, now, why)


def _line(config: Config, cluster: ResolvedCluster, report: Report, now: datetime) -> FleetLine:
    more = tuple(_remembered(config, cluster, report))
    judged = give_verdict(report.case.having(*more), load_catalogue(), now) if more else report
    worst = min((report, judged), key=lambda each: WORST_FIRST.index(each.verdict))
    found = [each.summary for each in worst.findings if each.severity is not Severity.INFO]
    return _drawn(judged.case, cluster, worst.verdict, now, found[0] if found else "")


def _drawn(
    case: Case, cluster: ResolvedCluster, verdict: Verdict, now: datetime, summary: str
) -> FleetLine:
    named, kept = cluster.protection_class, cluster.says_of_backups
    return line_of(case, cluster.name, named, verdict, now, summary, has_backups=kept)


def _remembered(config: Config, cluster: ResolvedCluster, report: Report) -> Iterator[object]:
    """What tells more than files do: drills, deletions, room, and a server that answers."""
    drills, alerts = beside_ledger(config, "drills"), beside_ledger(config, "alerts")
    found = (
        read_drills(drills, cluster.name) if drills else None,
        read_cuts(alerts, cluster.name) if alerts else None,
        room_of(archive.url for archive in cluster.archives),
        ask_exposure(cluster.dsn, cluster.timeout, report.case) if cluster.dsn else None,
    )
    yield from (each for each in found if each is not None)
