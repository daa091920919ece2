"""All clusters as one list: the worst first, found by a word of their name, class or labels.

A list of very many comes in pieces, so that a first view costs no more than the rows it shows.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

from markupsafe import Markup

from agent.documents import fleet_words
from agent.html.environment import SIGNS, render
from agent.language import spoken
from agent.monitor.late import is_late
from agent.monitor.watched import WatchedCluster
from agent.page.headline import headline, latest_window, tags_of
from agent.page.visit import Visit
from parsers.sentences import joined, tr
from rules.capacity.exposure import ExposureFacts
from rules.fleet.line import WORST_FIRST, FleetLine
from rules.model.findings import Verdict

ROWS_MAX: Final = 200  # shown at once
_LANGUAGES_MAX: Final = 4  # whose rows are kept
_WORD_MAX: Final = 200  # looked for in every name, and shown again
_COUNTED_AS: Final = {
    Verdict.CRITICAL: tr("{count} critical"),
    Verdict.UNKNOWN: tr("{count} could not be checked"),
    Verdict.WARNING: tr("{count} with warnings"),
    Verdict.OK: tr("{count} fine"),
}


class _Row(NamedTuple):
    state: tuple[object, ...]  # the cluster's, whether it was late, its verdict
    html: Markup


_Rows: TypeAlias = "WeakKeyDictionary[WatchedCluster, _Row]"


class Fleet:
    """The list. Each cluster's row is kept, by language, until that cluster changes."""

    def __init__(self, clusters: Sequence[WatchedCluster]) -> None:
        self._clusters = clusters
        self._rows: OrderedDict[str, _Rows] = OrderedDict()  # by language, the last used last

    def context(self, look: Visit) -> dict[str, Any]:
        """What the templates show, for `q`, `class`, `verdict`, `sort`, `from` of the address."""
        wanted, only = look.query.get("q", "")[:_WORD_MAX].strip(), look.query.get("verdict", "")
        order = look.query.get("sort", "")
        order = order if order in SORTS else "worst"
        only = only if only in SIGNS else ""
        named = look.query.get("class", "")
        lines = {cluster: cluster.line for cluster in self._clusters}
        found = [c for c in self._clusters if _answers(c, wanted.casefold(), named)]
        found = [c for c in found if only in ("", lines[c].verdict.value)]
        found.sort(key=lambda cluster: lines[cluster].rank)
        if (key := SORTS[order].key) is not None:
            found.sort(key=key)
        rows = self._rows_spoken()
        view = {"q": wanted, "class": named, "sort": look.query.get("sort", "")}
        counts = _counts((line.verdict for line in lines.values()), view, only)
        piece = _piece(look.query.get("from", ""), len(found), {**view, "verdict": only})
        return {
            "q": wanted,
            "sort": order,
            "only": only,
            "named": named,
            "classes": sorted({c.config.protection_class or "" for c in self._clusters} - {""}),
            "sorts": {name: each.label for name, each in SORTS.items()},
            "total": len(self._clusters),
            "counts": counts,
            "said": joined(", ", [each.words for each in counts]) or tr("no cluster is watched"),
            "piece": piece,
            "rows": [_row(rows, c, lines[c]) for c in found[piece.first - 1 : piece.last]],
        }

    def _rows_spoken(self) -> _Rows:
        """The rows in the language that is spoken; of the last few languages."""
        rows = self._rows.setdefault(spoken(), WeakKeyDictionary())
        self._rows.move_to_end(spoken())
        if len(self._rows) > _LANGUAGES_MAX:
            self._rows.popitem(last=False)
        return rows


def _row(rows: _Rows, cluster: WatchedCluster, line: FleetLine) -> Markup:
    kept = rows.get(cluster)
    state = (cluster.changes_count, is_late(cluster), line.verdict)
    if kept is None or kept.state != state:
        html = render(
            "fleet_row.html",
            name=cluster.name,
            tags=tags_of(cluster.config),
            headline=headline(cluster),
            line=line,
            wants_backup=cluster.case.context.objectives.backup_age_seconds is not None,
            words=fleet_words,
        )
        kept = rows[cluster] = _Row(state, Markup(html))
    return kept.html


def _answers(cluster: WatchedCluster, word: str, named: str) -> bool:
    """Whether a word is in its name, its class or its labels; and it is in the class named."""
    if named and cluster.config.protection_class != named:
        return False
    return not word or any(
        word in each.casefold() for each in (cluster.name, *tags_of(cluster.config))
    )


class _Piece(NamedTuple):
    """What is shown of a list, counted from 1."""

    first: int
    last: int
    found: int
    before: str | None  # the query of the piece before; None: this is the first
    after: str | None


def _piece(begin: str, found: int, view: Mapping[str, str]) -> _Piece:
    """The one that begins there; where nothing is any more, the last."""
    asked = int(begin) if begin.isascii() and begin.isdecimal() and len(begin) < 10 else 1
    first = (min(max(asked, 1), max(found, 1)) - 1) // ROWS_MAX * ROWS_MAX + 1
    last = min(first + ROWS_MAX - 1, found)
    earlier = {} if first - ROWS_MAX <= 1 else {"from": str(first - ROWS_MAX)}
    return _Piece(
        first=first,
        last=last,
        found=found,
        before=_query({**view, **earlier}) if first > 1 else None,
        after=_query({**view, "from": str(last + 1)}) if last < found else None,
    )


class _Count(NamedTuple):
    verdict: str
    words: str
    query: str  # of the same list with only these; once chosen, with all again


def _counts(verdicts: Iterable[Verdict], view: Mapping[str, str], only: str) -> list[_Count]:
    """The worst first; empty kinds are left out."""
    counts = Counter(verdicts)
    return [
        _Count(
            verdict=v.value,
            words=tr(_COUNTED_AS[v], count=counts[v]),
            query=_query({**view, "verdict": "" if v.value == only else v.value}),
        )
        for v in WORST_FIRST
        if counts[v]
    ]


def _query(view: Mapping[str, str]) -> str:
    """The query part of a view's address."""
    said = urlencode({name: value for name, value in view.items() if value})
    return f"?{said}" if said else ""


class _Sort(NamedTuple):
    label: str
    key: Callable[[WatchedCluster], Any] | None  # None: by verdict. What is alike goes by name


def _by_latest(cluster: WatchedCluster) -> float:
    """The furthest behind first; what is not known before all."""
    latest = latest_window(cluster)
    return latest.to_time.timestamp() if latest and latest.to_time else 0.0


def _by_exposure(cluster: WatchedCluster) -> tuple[bool, float, int]:
    """Most to lose first; what is not known comes last."""
    exposed = cluster.fact(ExposureFacts)
    if exposed is None:
        return True, 0.0, 0
    return False, -(exposed.seconds or 0.0), -exposed.bytes


def _by_breach(cluster: WatchedCluster) -> float:
    """Who breaks a goal first; where nothing is foreseen, last."""
    line: FleetLine = cluster.line
    return line.first_breach


def _by_backup(cluster: WatchedCluster) -> float:
    due = cluster.line.backup_needed_by
    return due.timestamp() if due else float("inf")


SORTS: Final[Mapping[str, _Sort]] = {
    "worst": _Sort(tr("worst first"), None),
    "name": _Sort(tr("name"), lambda cluster: cluster.name),
    "latest": _Sort(tr("furthest behind"), _by_latest),
    "exposure": _Sort(tr("most to lose"), _by_exposure),
    "breach": _Sort(tr("goal broken first"), _by_breach),
    "backup": _Sort(tr("backup needed first"), _by_backup),
}
