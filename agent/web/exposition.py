"""`/metrics` for many clusters: each cluster's part of the page is kept until that cluster changes.

prometheus-client renders the parts; here they are only cut at their families and put together, as
the formats want all samples of a family in one place. Changed parts are rendered again between
scrapes, one by one, so that a scrape finds little to do and sees the latest readings nevertheless.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from agent.monitor.exporter import ClusterCollector
from agent.monitor.watched import WatchedCluster

# A label's value holds no line break: what stands at the beginning of a line is the format's.
_FAMILY: Final = re.compile(rb"^(?=# HELP )", re.MULTILINE)
_SAMPLES: Final = re.compile(rb"^(?!# )", re.MULTILINE)
_END: Final = b"# EOF\n"
_WARM_SECONDS: Final = 1.0
_FORMATS_MAX: Final = 4  # asked for by one scraper or two


class _Family(NamedTuple):
    header: bytes  # HELP, TYPE
    samples: bytes


class _Part(NamedTuple):
    changes_count: int  # the cluster's, when it was rendered
    families: tuple[_Family, ...]


class _Format(NamedTuple):
    encode: Callable[[CollectorRegistry], bytes]
    parts: WeakKeyDictionary[WatchedCluster, _Part]


class Exposition:
    """The whole page: the clusters', and then what `others` has."""

    def __init__(self, clusters: Sequence[WatchedCluster], others: CollectorRegistry) -> None:
        self._clusters = clusters
        self._others = others
        self._formats: dict[str, _Format] = {}  # by content type

    def render(self, accept: str) -> tuple[bytes, str]:
        """The page in the format that the scraper prefers, and its content type."""
        encode, content_type = choose_encoder(accept)
        if content_type not in self._formats:
            while len(self._formats) >= _FORMATS_MAX:
                del self._formats[next(iter(self._formats))]
            self._formats[content_type] = _Format(encode, WeakKeyDictionary())
        wanted = self._formats[content_type]
        parts = [self._families(cluster, wanted) for cluster in self._clusters]
        page: list[bytes] = []
        for families in zip(*parts, strict=True):
            page.append(families[0].header)
            page.extend(family.samples for family in families)
        page.append(encode(self._others))
        return b"".join(page), content_type

    async def keep_warm(self) -> None:
        """Render what has changed, until cancelled."""
        while True:
            await asyncio.sleep(_WARM_SECONDS)
            for wanted in list(self._formats.values()):
                for cluster in list(self._clusters):
                    self._families(cluster, wanted)
                    await asyncio.sleep(0)

    def _families(self, cluster: WatchedCluster, wanted: _Format) -> tuple[_Family, ...]:
        kept = wanted.parts.get(cluster)
        if kept is None or kept.changes_count != cluster.changes_count:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(ClusterCollector((cluster,)))
            families = tuple(_cut(wanted.encode(registry)))
            kept = wanted.parts[cluster] = _Part(cluster.changes_count, families)
        return kept.families


def _cut(page: bytes) -> list[_Family]:
    families = []
    for family in _FAMILY.split(page.removesuffix(_END)):
        if family:
            samples = _SAMPLES.search(family)
            at = samples.start() if samples else len(family)
            families.append(_Family(family[:at], family[at:]))
    return families
