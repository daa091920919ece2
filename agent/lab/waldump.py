"""What pg_waldump reads in the archive: the laboratory's witness from outside.

pg_waldump prints its times in the zone of its environment; Cluster runs it under UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from agent.postgres.cluster import Cluster
from parsers.lsn import parse_lsn
from parsers.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A COMMIT record."""

    xid: int
    lsn: int  # start of the record
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One WAL record, as far as pg_waldump's line tells."""

    lsn: int  # start
    length: int  # bytes, header included: xl_tot_len
    xid: int
    description: str


_LINE: Final = re.compile(
    r"rmgr: \S+ +len \(rec/tot\): +\d+/ *(?P<length>\d+), tx: +(?P<xid>\d+), "
    r"lsn: (?P<lsn>[0-9A-F]+/[0-9A-F]+), prev [0-9A-F]+/[0-9A-F]+, desc: (?P<description>.*)$"
)
_COMMIT: Final = re.compile(r"COMMIT (\d\S+ \d\S+) UTC")


def read_records(cluster: Cluster, segment: Path) -> Iterator[Record]:
    """The records of one segment. Raises ServerFailed at damage, after none of them."""
    for line in cluster.run("pg_waldump", str(segment)).splitlines():
        if match := _LINE.match(line):
            yield Record(
                lsn=parse_lsn(match["lsn"]),
                length=int(match["length"]),
                xid=int(match["xid"]),
                description=match["description"],
            )


def commits_in(records: Iterable[Record]) -> Iterator[Commit]:
    """The commits among the records."""
    for record in records:
        if match := _COMMIT.match(record.description):
            at = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
            yield Commit(xid=record.xid, lsn=record.lsn, at=at)


def restore_points_in(records: Iterable[Record]) -> Iterator[tuple[str, int]]:
    """The restore points among the records: name, and start of the record."""
    prefix = "RESTORE_POINT "
    for record in records:
        if record.description.startswith(prefix):
            yield record.description.removeprefix(prefix), record.lsn
