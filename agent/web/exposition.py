"""`/metrics` for many clusters: each cluster's part of the page is kept until its state is another.

prometheus-client renders the parts; here they are only cut at their families and put together, as
the formats want all samples of a family in one place. Of a cluster that changed, the families are
rendered again whose samples did. That is done between scrapes, one by one, so that a scrape finds
little to do and sees the latest readings nevertheless. What follows of the clock alone, or is
counted while a reading goes on, is a minute old at the most.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from agent.monitor.exporter import HELP, Sample, family_of, samples_of
from agent.monitor.watched import WatchedCluster

# A label's value holds no line break: what stands at the beginning of a line is the format's.
_FAMILY: Final = re.compile(rb"^(?=# HELP )", re.MULTILINE)
_SAMPLES: Final = re.compile(rb"^(?!# )", re.MULTILINE)
_END: Final = b"# EOF\n"
_WARM_SECONDS: Final = 1.0
_AT_A_TIME_SECONDS: Final = 0.01
_KEPT_SECONDS: Final = 60.0
_FORMATS_MAX: Final = 4  # asked for by one scraper or two


class _Part(NamedTuple):
    state: tuple[int, int]  # the cluster's, when it was rendered
    until: float  # monotonic
    samples: Mapping[str, Sequence[Sample]]
    families: Mapping[str, bytes]  # without their headers


class _Format(NamedTuple):
    encode: Callable[[CollectorRegistry], bytes]
    headers: dict[str, bytes]  # HELP and TYPE of each family: the same for every cluster
    parts: WeakKeyDictionary[WatchedCluster, _Part]


class _Families(Collector):
    """Some metrics of one cluster."""

    def __init__(
        self, names: Sequence[str], cluster: WatchedCluster, samples: Mapping[str, Sequence[Sample]]
    ) -> None:
        self._names = names
        self._rendered = [(cluster, samples)]

    def collect(self) -> Iterable[Metric]:
        return [family_of(name, self._rendered) for name in self._names]


class Exposition:
    """The whole page: the clusters', and then what `others` has."""

    def __init__(self, clusters: Sequence[WatchedCluster], others: CollectorRegistry) -> None:
        self._clusters = clusters
        self._others = others
        self._formats: dict[str, _Format] = {}  # by content type

    def render(self, accept: str) -> tuple[bytes, str]:
        """The page in the format that the scraper prefers, and its content type."""
        wanted, content_type = self._format(accept)
        parts = [self._families(cluster, wanted) for cluster in self._clusters]
        page: list[bytes] = []
        for name in HELP if parts else ():
            page.append(wanted.headers[name])
            page.extend([part[name] for part in parts])
        page.append(wanted.encode(self._others))
        return b"".join(page), content_type

    def _format(self, accept: str) -> tuple[_Format, str]:
        encode, content_type = choose_encoder(accept)
        if content_type not in self._formats:
            while len(self._formats) >= _FORMATS_MAX:
                del self._formats[next(iter(self._formats))]
            self._formats[content_type] = _Format(encode, {}, WeakKeyDictionary())
        return self._formats[content_type], content_type

    async def warm(self, accept: str) -> None:
        """Render what has changed since the last time, a little at a time: others wait."""
        await self._warm(self._format(accept)[0])

    async def keep_warm(self) -> None:
        """Do so for every format, until cancelled."""
        while True:
            await asyncio.sleep(_WARM_SECONDS)
            for wanted in list(self._formats.values()):
                await self._warm(wanted)

    async def _warm(self, wanted: _Format) -> None:
        began = monotonic()
        for cluster in list(self._clusters):
            if not _holds(wanted.parts.get(cluster), cluster):
                self._families(cluster, wanted)
                if monotonic() - began > _AT_A_TIME_SECONDS:
                    await asyncio.sleep(0)
                    began = monotonic()

    def _families(self, cluster: WatchedCluster, wanted: _Format) -> Mapping[str, bytes]:
        kept = wanted.parts.get(cluster)
        if kept is not None and _holds(kept, cluster):
            return kept.families
        samples = samples_of(cluster)
        state = _state(cluster)  # what cannot be rendered is judged, and that is a change
        before: Mapping[str, Sequence[Sample]] = kept.samples if kept else {}
        same = kept.families if kept else {}
        changed = [
            name for name in HELP if name not in same or samples.get(name) != before.get(name)
        ]
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Families(changed, cluster, samples))
        families = dict(same)
        for name, family in zip(changed, _cut(wanted.encode(registry)), strict=True):
            found = _SAMPLES.search(family)
            at = found.start() if found else len(family)
            wanted.headers.setdefault(name, family[:at])
            families[name] = family[at:]
        until = monotonic() + _KEPT_SECONDS
        wanted.parts[cluster] = _Part(state, until, samples, families)
        return wanted.parts[cluster].families


def _state(cluster: WatchedCluster) -> tuple[int, int]:
    """What is rendered of it stays right while this is the same, but for the clock."""
    return cluster.changes_count, cluster.jobs.rounds.changes_count


def _holds(kept: _Part | None, cluster: WatchedCluster) -> bool:
    """Whether a part is still what would be rendered now."""
    return kept is not None and kept.state == _state(cluster) and monotonic() < kept.until


def _cut(page: bytes) -> list[bytes]:
    """Its families."""
    return [family for family in _FAMILY.split(page.removesuffix(_END)) if family]
