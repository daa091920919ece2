"""The drill of a verdict: which restore to try is the verdict's choice."""

from __future__ import annotations

from pathlib import Path

from agent.check.run import Drill
from agent.drill.drill import Material, Order, run_drill
from rules.drill import DrillFacts
from rules.drill_target import Chance, plan_at_random, plan_drill
from rules.report import Gathered, Report


def drill_for(order: Order, chance: Chance | None = None) -> Drill:
    """A drill as `agent.check.run.check` asks for it.

    With `chance` it goes to a random instant, and where there is none to the newest.
    """

    def drill(report: Report, gathered: Gathered) -> DrillFacts:
        plan = plan_at_random(report, gathered, chance) if chance else None
        plan = plan or plan_drill(report, gathered.restores)
        if plan is None:
            reason = f"there is nothing to restore: {report.target.reason}"
            return DrillFacts(backup=None, target=report.question.target.type, not_run=reason)
        archives = [*(archive.facts for archive in report.archives), *report.elsewhere]
        roots = [str(Path(archive.url).absolute()) for archive in archives]
        return run_drill(order, Material(plan=plan, roots=roots, scans=gathered.scans))

    return drill
