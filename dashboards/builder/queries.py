"""PromQL that more than one panel asks.

A value that is absent stays absent, and what is asked of a dead agent's cluster answers "unknown":
only the clusters that were seen in the shown range are known to Prometheus then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

ONE: Final = 'cluster="$cluster"'  # a dashboard of one cluster
SOME: Final = 'cluster=~"$cluster"'  # a dashboard of those that were chosen


def metric(name: str, selector: str = ONE, /, **labels: str) -> str:
    """A selector: the cluster, and further labels that must be equal."""
    further = [f'{label}="{value}"' for label, value in labels.items()]
    return f"{name}{{{','.join((selector, *further))}}}"


def each(name: str, selector: str = ONE, /, *, by: Sequence[str] = (), **labels: str) -> str:
    """One value a cluster (and label), however many agents watch it."""
    return f"max by ({', '.join(('cluster', *by))}) ({metric(name, selector, **labels)})"


def objective(name: str, selector: str = ONE) -> str:
    return each("pitr_objective_seconds", selector, objective=name)


def age(name: str, selector: str = ONE) -> str:
    """Seconds since the instant that a metric holds."""
    return f"time() - {each(name, selector)}"


def at(name: str, selector: str = ONE) -> str:
    """The instant that a metric holds, in the milliseconds that Grafana's units of time want."""
    return f"1000 * {each(name, selector)}"


def breaches(selector: str = ONE) -> str:
    """Seconds until each goal is broken, less than 0 once it is; with the cluster's class."""
    left = f"{each('pitr_goal_breach_timestamp_seconds', selector, by=('goal',))} - time()"
    classes = each("pitr_cluster_info", selector, by=("protection_class",))
    return f"({left}) * on (cluster) group_left (protection_class) {classes}"


def since(outcome: str, moment: str, selector: str = ONE) -> str:
    """Seconds since the instant of a metric, under the label of the one outcome that is 1."""
    which = f"{each(outcome, selector, by=('outcome',))} == 1"
    return f"({which}) * on (cluster) group_left () ({age(moment, selector)})"


def seen(selector: str = ONE) -> str:
    """1 for each cluster that was judged in the shown range, whether its agent lives or not."""
    judged = metric("pitr_verdict_timestamp_seconds", selector)
    return f"group by (cluster) (last_over_time({judged}[$__range]))"


def verdict(selector: str = ONE) -> str:
    """3 critical, 2 unknown, 1 warning, 0 ok, as `rules.model.findings.verdict_of` ranks them.

    Unknown are a blind check, an overdue verdict, and a cluster that is no longer scraped.
    """
    found = [
        f"{rank} * ({metric('pitr_finding', selector, severity=severity)} > bool 0)"
        for rank, severity in ((3, "critical"), (2, "unknown"), (1, "warning"), (0, "info"))
    ]
    blind = f"2 * ({metric('pitr_check_known', selector)} == bool 0)"
    deadline = metric("pitr_verdict_deadline_timestamp_seconds", selector)
    stale = f"2 * (time() - {deadline} > bool 0)"
    return f"(max by (cluster) ({' or '.join((*found, blind, stale))}) or 2 * {seen(selector)})"


def of_objective(name: str, of: str, selector: str = ONE) -> str:
    """A metric as a share of its objective: over 1 is over it."""
    return f"{each(name, selector)} / {objective(of, selector)}"


def blind_count(selector: str = ONE) -> str:
    """How many checks lack their evidence; 0 only where it is known that none does."""
    return f"sum by (cluster) ({metric('pitr_check_known', selector)} == bool 0)"


def copied(query: str, label: str, to: str) -> str:
    """The same with a label twice, so that a table can show it in two ways."""
    return f'label_join({query}, "{to}", "", "{label}")'
