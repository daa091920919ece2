"""What must outlive the process: alerts, what receivers were not told yet, exposure, deletions.

Kept in memory, and written through to a file of its own (agent.state_file).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from agent.state_file import StateFile, read_rows
from rules.alerting.notifications import Notification
from rules.alerting.state import Alert, Alerts
from rules.capacity.exposure import KeptTrail
from rules.fleet.cuts import WindowCuts

_ALERTS: Final = TypeAdapter(dict[str, Alert])
_NOTIFICATION: Final = TypeAdapter(Notification)
_TRAIL: Final = TypeAdapter(KeptTrail)
_CUTS: Final = TypeAdapter(WindowCuts)


def read_cuts(path: Path, cluster: str) -> WindowCuts | None:
    """What an agent remembers of a cluster's window, written nowhere. None: it has none."""
    for kind, name, _, value in read_rows(path) if path.exists() else ():
        if (kind, name) == ("window", cluster):
            with contextlib.suppress(ValidationError):
                return _CUTS.validate_json(value)
    return None


class AlertMemory:
    """Belongs to one thread. Without a path, or when the file is of no use, memory alone."""

    def __init__(self, path: Path | None) -> None:
        self._file = StateFile(path, "alerts")
        self._alerts: dict[str, Alerts] = {}
        self._trails: dict[str, KeptTrail] = {}  # by cluster
        self._cuts: dict[str, WindowCuts] = {}  # the same
        self._waiting: dict[
            str, dict[int, Notification]
        ] = {}  # by receiver; each known one is there
        self._next_sequence = 1
        self._load()

    @property
    def lasts(self) -> bool:
        """Whether it outlives the process."""
        return self._file.lasts

    # -- alerts ----------------------------------------------------------------------------------

    @property
    def clusters(self) -> list[str]:
        return list(self._alerts | self._trails | self._cuts)

    def alerts_of(self, cluster: str) -> Alerts:
        return self._alerts.get(cluster, {})

    def keep(self, cluster: str, alerts: Alerts) -> None:
        """Remember a cluster's alerts; what is written is where they stand, not each new number."""
        before, self._alerts[cluster] = self._alerts.get(cluster, {}), alerts
        if _standing(before) != _standing(alerts):
            self._file.put(("alerts", cluster, 0), _ALERTS.dump_json(dict(alerts)).decode())

    def forget(self, cluster: str) -> None:
        self._alerts.pop(cluster, None)
        self._trails.pop(cluster, None)
        self._cuts.pop(cluster, None)
        self._file.put(("alerts", cluster, 0), None)
        self._file.put(("trail", cluster, 0), None)
        self._file.put(("window", cluster, 0), None)

    def trail_of(self, cluster: str) -> KeptTrail | None:
        return self._trails.get(cluster)

    def keep_trail(self, cluster: str, trail: KeptTrail) -> None:
        """Remember it; written with the next save."""
        if self._trails.get(cluster) != trail:
            self._trails[cluster] = trail
            self._file.put(("trail", cluster, 0), _TRAIL.dump_json(trail).decode())

    def cuts_of(self, cluster: str) -> WindowCuts:
        return self._cuts.get(cluster, WindowCuts())

    def keep_cuts(self, cluster: str, cuts: WindowCuts) -> None:
        """The same of what retention took."""
        if self.cuts_of(cluster) != cuts:
            self._cuts[cluster] = cuts
            self._file.put(("window", cluster, 0), _CUTS.dump_json(cuts).decode())

    # -- notifications ---------------------------------------------------------------------------

    def knows(self, receiver: str) -> bool:
        """Whether this receiver was there before."""
        return receiver in self._waiting

    def waiting(self, receiver: str) -> Mapping[int, Notification]:
        """What this receiver was not yet told, in the order in which it happened."""
        return dict(self._waiting.get(receiver, {}))

    def add(self, receiver: str, notifications: Sequence[Notification]) -> None:
        """Remember that this receiver is to be told of these."""
        if receiver not in self._waiting:
            self._waiting[receiver] = {}
            self._file.put(("receiver", receiver, 0), "")
        for notification in notifications:
            sequence, self._next_sequence = self._next_sequence, self._next_sequence + 1
            self._waiting[receiver][sequence] = notification
            written = _NOTIFICATION.dump_json(notification).decode()
            self._file.put(("waiting", receiver, sequence), written)

    def told(self, receiver: str, sequences: Iterable[int]) -> None:
        """Forget what this receiver has taken."""
        for sequence in sequences:
            self._waiting[receiver].pop(sequence, None)
            self._file.put(("waiting", receiver, sequence), None)

    def forget_receivers_but(self, receivers: Iterable[str]) -> None:
        """Forget those that are configured no more."""
        for receiver in self._waiting.keys() - set(receivers):
            self.told(receiver, list(self._waiting[receiver]))
            del self._waiting[receiver]
            self._file.put(("receiver", receiver, 0), None)

    # -- the file --------------------------------------------------------------------------------

    def save(self) -> None:
        """Bring the file up to date. Never raises; what failed is kept."""
        self._file.save()

    def close(self) -> None:
        self._file.close()

    def _load(self) -> None:
        for kind, name, sequence, value in self._file.rows():
            try:
                if kind == "alerts":
                    self._alerts[name] = _ALERTS.validate_json(value)
                elif kind == "trail":
                    self._trails[name] = _TRAIL.validate_json(value)
                elif kind == "window":
                    self._cuts[name] = _CUTS.validate_json(value)
                elif kind == "receiver":
                    self._waiting.setdefault(name, {})
                else:
                    read = _NOTIFICATION.validate_json(value)
                    self._waiting.setdefault(name, {})[sequence] = read
                    self._next_sequence = sequence + 1
            except ValidationError:
                self._file.complain(kind, name)


def _standing(alerts: Alerts) -> dict[str, Alert]:
    return {name: replace(alert, summaries=(), remedy="") for name, alert in alerts.items()}
