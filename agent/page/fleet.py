"""All clusters as one list: the worst first, found by a word of their name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from markupsafe import Markup

from agent.page.environment import render
from agent.page.headline import SIGNS, headline
from agent.watched import WatchedCluster
from rules.evidence import WindowsFacts
from rules.exposure import ExposureFacts
from rules.findings import Verdict

_WORST_FIRST: Final = (Verdict.CRITICAL, Verdict.UNKNOWN, Verdict.WARNING, Verdict.OK)
_COUNTED_AS: Final = {
    Verdict.CRITICAL: "critical",
    Verdict.UNKNOWN: "could not be checked",
    Verdict.WARNING: "with warnings",
    Verdict.OK: "restorable",
}


class _Row(NamedTuple):
    changes_count: int  # the cluster's, when it was rendered
    html: Markup


class Fleet:
    """The list. Each cluster's row is kept until that cluster changes."""

    def __init__(self, clusters: Sequence[WatchedCluster]) -> None:
        self._clusters = clusters
        self._rows: WeakKeyDictionary[WatchedCluster, _Row] = WeakKeyDictionary()

    def context(self, query: Mapping[str, str]) -> dict[str, Any]:
        """What the templates show, for `q` and `sort` of the address."""
        wanted, order = query.get("q", "").strip(), query.get("sort", "")
        order = order if order in SORTS else "worst"
        found = [c for c in self._clusters if wanted.casefold() in c.name.casefold()]
        found.sort(key=SORTS[order].key)
        counts = Counter(cluster.verdict for cluster in self._clusters)
        return {
            "q": wanted,
            "sort": order,
            "sorts": {name: each.label for name, each in SORTS.items()},
            "total": len(self._clusters),
            "counts": [
                {
                    "verdict": v.value,
                    "sign": SIGNS[v.value],
                    "word": _COUNTED_AS[v],
                    "count": counts[v],
                }
                for v in _WORST_FIRST
                if counts[v]
            ],
            "rows": [self._row(cluster) for cluster in found],
        }

    def _row(self, cluster: WatchedCluster) -> Markup:
        kept = self._rows.get(cluster)
        if kept is None or kept.changes_count != cluster.changes_count:
            html = render(
                "fleet_row.html",
                name=cluster.name,
                headline=headline(cluster),
                exposed=cluster.fact(ExposureFacts),
            )
            kept = self._rows[cluster] = _Row(cluster.changes_count, Markup(html))
        return kept.html


class _Sort(NamedTuple):
    label: str
    key: Callable[[WatchedCluster], Any]


def _by_verdict(cluster: WatchedCluster) -> tuple[int, str]:
    return _WORST_FIRST.index(cluster.verdict), cluster.name


def _by_latest(cluster: WatchedCluster) -> tuple[float, str]:
    """The furthest behind first; what is not known before all."""
    windows = cluster.fact(WindowsFacts)
    latest = windows.latest if windows else None
    at = latest.to_time.timestamp() if latest and latest.to_time else 0.0
    return at, cluster.name


def _by_exposure(cluster: WatchedCluster) -> tuple[float, float, str]:
    """Most to lose first; what is not known comes last."""
    exposed = cluster.fact(ExposureFacts)
    if exposed is None:
        return 1.0, 0.0, cluster.name
    return -(exposed.seconds or 0.0), -exposed.bytes, cluster.name


SORTS: Final[Mapping[str, _Sort]] = {
    "worst": _Sort("worst first", _by_verdict),
    "name": _Sort("name", lambda cluster: cluster.name),
    "latest": _Sort("furthest behind", _by_latest),
    "exposure": _Sort("most to lose", _by_exposure),
}
