"""The drill of a verdict: which restore to try is the verdict's choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from agent.archive.restore_command import named_anywhere
from agent.check.run import Drill
from agent.drill.by_tool import ToolOrder
from agent.drill.drill import Material, Order, run_drill
from agent.repositories.opening import RepoPlace
from agent.repositories.recognise import BARMAN
from agent.repositories.sources import NO_REPOSITORIES, RepositorySources
from parsers.sentences import tr
from rules.case.case import Case
from rules.case.context import Context
from rules.case.derived.segments import scans_of
from rules.drill.comparison import DrillFacts
from rules.model.repository import RepositoriesRead
from rules.repository.command import ToolAsked
from rules.verdict.drill_target import Chance, plan_at_random, plan_by_tool, plan_drill
from rules.verdict.report import Report


class ToolChoice(NamedTuple):
    """The tool is to restore: what was typed of its repositories."""

    places: Sequence[RepoPlace]
    config: str | None  # the tool's own, empty for the usual one; None: none was named


def drill_for(
    order: Order,
    chance: Chance | None = None,
    repositories: RepositorySources = NO_REPOSITORIES,
    by_tool: ToolChoice | None = None,
) -> Drill:
    """A drill as `agent.check.run.check` asks for it.

    With `chance` it goes to a random instant, and where there is none to the newest. What lies in
    `repositories` is restored as their tools store it.
    """

    def drill(report: Report, case: Case) -> DrillFacts:
        if by_tool is not None:
            plan = plan_by_tool(report, case)
        else:
            plan = plan_at_random(report, case, chance) if chance else None
            plan = plan or plan_drill(report, case)
        if plan is None:
            reason = tr("there is nothing to restore: {reason}", reason=report.target.reason)
            return DrillFacts(backup=None, target=report.asked.target.type, not_run=reason)
        archives = [*(archive.facts for archive in report.archives), *report.elsewhere]
        own = repositories.archive_urls
        roots = [named_anywhere(each.url) for each in archives if each.url not in own]
        material = Material(
            plan=plan,
            roots=roots,
            scans=scans_of(case),
            repositories=repositories,
            by_tool=_tool_order(by_tool, report, case) if by_tool else None,
        )
        return run_drill(order, material)

    return drill


def _tool_order(choice: ToolChoice, report: Report, case: Case) -> ToolOrder:
    """The tool's restore as the verdict was asked about it."""
    read, context = case.get(RepositoriesRead), case.get(Context)
    assert read is not None and context is not None
    repository, target = read.repositories[0], report.target
    label = read.chosen
    if repository.tool == BARMAN and target.backup is not None:  # it takes none by itself
        label = target.backup.name
    timeline = report.asked.target.timeline if context.way.timeline_given else None
    return ToolOrder(
        name=repository.name,
        places=choice.places,
        config=choice.config,
        asked=ToolAsked(
            tool=repository.tool, goal=report.asked.goal, label=label, timeline=timeline
        ),
    )
