"""What the agent remembers of its drills: over a restart, and over its own sudden end.

A drill that was begun and has no end when the agent starts was killed with it; one that was asked
for and not begun is still to be made.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from agent.drill_schedule.document import not_run
from agent.state_file import StateFile, read_rows
from parsers.sentences import tr
from parsers.values import dataclass
from rules.drill.records import DrillRecord, DrillsFacts

_KILLED: Final = tr("the agent was killed while it ran")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one cluster's drills stand."""

    since: datetime | None = None  # when the first was planned
    asked_at: datetime | None = None  # one is to be made, and was not begun
    begun_at: datetime | None = None  # it runs, or did when the agent was killed
    next_sequence: int = 1
    counts: Mapping[str, int] | None = None  # outcome -> how many


_RECORD: Final = TypeAdapter(DrillRecord)
_STANDING: Final = TypeAdapter(Standing)
_NEW: Final = Standing()


def read_drills(path: Path, cluster: str) -> DrillsFacts | None:
    """The drills that an agent remembers of a cluster, written nowhere. None: there is no file."""
    if not path.exists():
        return None
    rows = read_rows(path)
    records = []
    for kind, name, _, value in rows:
        if (kind, name) == ("drill", cluster):
            with contextlib.suppress(ValidationError):
                records.append(_RECORD.validate_json(value))
    return DrillsFacts(records=tuple(records))


class DrillHistory:
    """Belongs to one thread. Without a path it lasts as long as the process."""

    def __init__(self, path: Path | None) -> None:
        self._file = StateFile(path, "drills")
        self._standing: dict[str, Standing] = {}
        self._records: dict[str, dict[int, DrillRecord]] = {}
        self._load()

    @property
    def lasts(self) -> bool:
        """Whether it outlives the process."""
        return self._file.lasts

    def facts(self, cluster: str) -> DrillsFacts:
        """The drills of one cluster, as checks and metrics see them."""
        standing = self._standing.get(cluster, _NEW)
        return DrillsFacts(
            records=tuple(self._records.get(cluster, {}).values()),
            since=standing.since,
            running_since=standing.begun_at,
            counts=standing.counts or {},
        )

    def asked_at(self, cluster: str) -> datetime | None:
        return self._standing.get(cluster, _NEW).asked_at

    def plan(self, cluster: str, now: datetime) -> None:
        """Note that from now on drills of this cluster are expected."""
        if self._standing.get(cluster, _NEW).since is None:
            self._set(cluster, since=now)

    def ask(self, cluster: str, now: datetime) -> None:
        """Note that one is to be made."""
        self._set(cluster, asked_at=now)

    def begin(self, cluster: str, now: datetime) -> None:
        self._set(cluster, asked_at=None, begun_at=now)

    def put_off(self, cluster: str) -> None:
        """It was broken off because the agent ends: it is to be made after the next start."""
        standing = self._standing.get(cluster, _NEW)
        self._set(cluster, asked_at=standing.begun_at, begun_at=None)

    def end(self, cluster: str, record: DrillRecord, keep: int) -> None:
        """Remember how it went, and forget all but the last `keep`, and the last good one."""
        standing = self._standing.get(cluster, _NEW)
        counts = dict(standing.counts or {})
        counts[record.outcome] = counts.get(record.outcome, 0) + 1
        sequence = standing.next_sequence
        kept = self._records.setdefault(cluster, {})
        kept[sequence] = record
        self._file.put(("drill", cluster, sequence), _RECORD.dump_json(record).decode())
        good = next((n for n, each in reversed(kept.items()) if each.succeeded), None)
        for old in [number for number in list(kept)[:-keep] if number != good]:
            del kept[old]
            self._file.put(("drill", cluster, old), None)
        self._set(cluster, begun_at=None, counts=counts, next_sequence=sequence + 1)

    def close(self) -> None:
        self._file.close()

    def _set(self, cluster: str, **values: object) -> None:
        standing = replace(self._standing.get(cluster, _NEW), **values)  # type: ignore[arg-type]
        self._standing[cluster] = standing
        self._file.put(("standing", cluster, 0), _STANDING.dump_json(standing).decode())
        self._file.save()

    def _load(self) -> None:
        for kind, name, sequence, value in self._file.rows():
            try:
                if kind == "standing":
                    self._standing[name] = _STANDING.validate_json(value)
                elif kind == "drill":
                    self._records.setdefault(name, {})[sequence] = _RECORD.validate_json(value)
            except ValidationError:
                self._file.complain(kind, name)
        for name, records in self._records.items():
            standing = self._standing.get(name, _NEW)
            after = max(standing.next_sequence, max(records) + 1)
            self._standing[name] = replace(standing, next_sequence=after)
        for name, standing in list(self._standing.items()):
            if standing.begun_at is not None:
                killed = not_run(_KILLED, standing.begun_at, 0.0)
                self.end(name, killed, keep=len(self._records.get(name, ())) + 1)
