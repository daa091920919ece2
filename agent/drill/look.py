"""The look inside a restored cluster, in its order: probes, pg_amcheck, pg_dumpall, pg_checksums.

What the drill's time does not suffice for is said to be left out.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import field, replace
from functools import partial

import psycopg

from agent.drill.area import Area
from agent.drill.deadline import Deadline, OutOfTime
from agent.drill.disarm import Disarmed, disarm
from agent.drill.inspection import Tools, amcheck, dump, inspect_stopped, not_done
from agent.drill.probes import ask
from agent.drill.server import ScratchServer
from agent.drill.session import NobodyGetsIn, NoSuperuser, is_damage, open_for_writing, open_session
from agent.postgres.installation import Installation
from parsers.files.pg_control import ControlFile
from parsers.sentences import Sentence, message_of, tr
from parsers.values import dataclass
from rules.drill.comparison import Inspection, Probe


@dataclass(slots=True)
class LookInside:
    """What was found so far."""

    probes: tuple[Probe, ...]
    phases: dict[str, float]
    inspections: list[Inspection] = field(default_factory=list)
    timed_out: str | None = None
    notes: list[str] = field(default_factory=list)

    def inside(
        self,
        server: ScratchServer,
        installation: Installation,
        area: Area,
        control: ControlFile | None,
        deadline: Deadline,
    ) -> None:
        """Look at a server that opened; it is down at the end."""
        tools = Tools(installation, area, deadline)
        try:
            if server.is_running():
                self._at_running(tools, area, deadline)
            else:
                self._leave_out(tr("the server shut itself down at its target, as it was told"))
            with phase(self.phases, "stop"):
                stopped = server.stop(signal.SIGINT)
            if not stopped:
                self.inspections.append(
                    not_done("checksums", tr("the server did not shut down in time"))
                )
                return
            with phase(self.phases, "checksums"):
                self.inspections.append(inspect_stopped(tools, area, control))
        except OutOfTime as error:
            self.timed_out = message_of(error)
            self._leave_out(self.timed_out)
            self.inspections.append(not_done("checksums", self.timed_out))

    def _at_running(self, tools: Tools, area: Area, deadline: Deadline) -> None:
        try:
            cluster = deadline.run(
                lambda: self._disarm(area, tools.installation.major),
                lambda: tr("while connecting to the restored server"),
            )
        except NoSuperuser as error:
            self._leave_out(message_of(error))
            return
        except (NobodyGetsIn, psycopg.Error) as error:
            why = message_of(error)
            if not isinstance(why, Sentence):
                why = " ".join(why.split())
            if isinstance(error, NobodyGetsIn) or is_damage(error):
                self.inspections.append(Inspection(name="connection", result="failed", detail=why))
            self._leave_out(why)
            return
        with phase(self.phases, "probes"):
            self._ask(cluster, deadline)
        for look in (amcheck, dump):
            begun = time.monotonic()
            found = look(tools, cluster)
            self.inspections.append(found)
            self.phases[found.name] = time.monotonic() - begun

    def _disarm(self, area: Area, major: int) -> Disarmed:
        session = open_session(area, major)
        if open_for_writing(session):
            self.notes.append(
                tr("promoted after its pause, to look inside: nothing else was replayed")
            )
        return disarm(session)

    def _ask(self, cluster: Disarmed, deadline: Deadline) -> None:
        for at, probe in enumerate(self.probes):
            closed = cluster.closed.get(probe.database)
            if closed is not None:
                answered = replace(probe, error=closed.why, asked=False)
            else:
                answered = deadline.run(
                    partial(ask, probe, cluster.reader),
                    partial(tr, tr("while asking the probe {sql}"), sql=probe.sql),
                )
            self.probes = (*self.probes[:at], answered, *self.probes[at + 1 :])

    def _leave_out(self, why: str) -> None:
        """Whatever was to be asked of the running server and was not."""
        done = {each.name for each in self.inspections}
        self.inspections += [not_done(n, why) for n in ("amcheck", "dump") if n not in done]
        self.probes = tuple(
            replace(probe, error=why, asked=False)
            if probe.got is None and not probe.error
            else probe
            for probe in self.probes
        )


@contextlib.contextmanager
def phase(phases: dict[str, float], name: str) -> Iterator[None]:
    """What takes time: how long it took, unless it failed."""
    begun = time.monotonic()
    yield
    phases[name] = time.monotonic() - begun
