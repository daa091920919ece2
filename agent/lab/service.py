"""A laboratory that stays up: a primary under light traffic, archiving, with the agent watching.

with open_laboratory(installation, account) as lab:
    service = Service(lab)
    service.start()
    service.break_it("gap")
    service.mend("gap")
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from agent.lab.faults import FAULTS, Fault
from agent.lab.history import CREATE_TABLE, switch_wal
from agent.lab.laboratory import Laboratory
from agent.lab.metrics_page import MetricsPage
from agent.lab.narrator import Narrator
from agent.lab.primary import back_up, make_agent_role, make_primary
from agent.lab.traffic import Traffic
from agent.lab.watching import agent_config, is_watching, wait_for

# Segments of 1 MiB, so that hours of it stay small.
SEGMENT_MIB: Final = 1
_OBJECTIVES: Final = {"rpo": "15s"}


class LabService:
    """The primary, its traffic and its agent; and the faults, on request."""

    def __init__(self, lab: Laboratory, narrator: Narrator | None = None) -> None:
        self._lab = lab
        self._narrator = narrator or Narrator()
        self.traffic = Traffic(lab.primary)
        lab.at_end(self.traffic.stop)

    def start(
        self,
        fault: Fault | None = None,
        *,
        archive_timeout_seconds: int = 3,
        objectives: Mapping[str, str] = _OBJECTIVES,
        **agent_options: object,
    ) -> None:
        """Bring it all up. `fault` is one that will be asked for: some need their own archiving.

        `agent_options` are further keys of the agent's configuration.
        """
        lab, narrator = self._lab, self._narrator
        settings: dict[str, str | int | bool] = {
            "archive_timeout": archive_timeout_seconds,
            "autovacuum": True,
        }
        if fault is not None and fault.prepare is not None:
            settings["archive_command"] = fault.prepare(lab)
        make_primary(lab, narrator, segment_mib=SEGMENT_MIB, **settings)
        make_agent_role(lab, narrator)
        with narrator.sql(CREATE_TABLE):
            lab.primary.sql(CREATE_TABLE)
        switch_wal(lab.primary, narrator)
        back_up(lab, narrator)
        self.traffic.start()
        with narrator.shell("pitr-agent run --config pitr.yaml"):
            lab.agent.start(self.agent_config(objectives) | agent_options)

    def agent_config(self, objectives: Mapping[str, str]) -> dict[str, Any]:
        return agent_config(self._lab, poll="1s", scan="1s", objectives=dict(objectives))

    def wait_healthy(self, *, timeout_seconds: float = 60) -> tuple[MetricsPage | None, bool]:
        """Wait until the agent sees the server and the archive and has nothing to say."""
        return wait_for(
            self._lab.agent,
            lambda page: is_watching(page) and not page.findings("warning", "critical"),
            timeout_seconds=timeout_seconds,
        )

    def wait_noticed(
        self, fault: Fault, *, timeout_seconds: float = 60
    ) -> tuple[MetricsPage | None, bool]:
        """Wait until the agent raises what it should for this fault."""
        return wait_for(
            self._lab.agent,
            lambda page: bool(fault.findings & page.findings()),
            timeout_seconds=timeout_seconds,
        )

    def break_it(self, name: str) -> str:
        """Break it in this way; give what was done in a sentence."""
        return FAULTS[name].break_it(self._lab)

    def mend(self, name: str) -> str:
        """Undo it; give what was done in a sentence."""
        return FAULTS[name].mend(self._lab)
