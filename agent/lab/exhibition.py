"""`pitr-lab --serve`: the service on show, with what to open and type, until Ctrl-C."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.errors import OK
from agent.lab.errors import LabFailed
from agent.lab.faults import Fault
from agent.lab.laboratory import Laboratory
from agent.lab.service import SEGMENT_MIB, LabService
from agent.lab.story import TerminalStory
from agent.lab.watching import describe_page

_LOOK_SECONDS: Final = 1.0
_NOTICE_SECONDS: Final = 120.0


class Exhibition:
    """Brings the service up, breaks it if asked, and tells whenever the agent's mind changes."""

    def __init__(self, lab: Laboratory, story: TerminalStory) -> None:
        self._lab = lab
        self._story = story
        self._service = LabService(lab, story)

    def run(self, fault: Fault | None) -> int:
        """Serve until Ctrl-C, which is how this ends well."""
        with self._story.step("A primary under light traffic, a base backup, the agent"):
            self._service.start(fault)
        with self._story.step("A healthy moment"):
            self._wait_healthy()
        with self._story.step("What to open, and what to type"):
            self._show_addresses()
        try:
            if fault is not None:
                with self._story.step(f"The fault: {fault.name}"):
                    self._break(fault)
            self._story.verdict("serving until Ctrl-C", holds=True)
            self._watch()
        except KeyboardInterrupt:
            self._story.verdict("stopping", holds=True)
        return OK

    def _wait_healthy(self) -> None:
        with self._story.waiting("until the agent has read everything and finds nothing wrong"):
            page, healthy = self._service.wait_healthy()
        self._story.agent_says(describe_page(page), holds=healthy)
        if healthy:
            self._story.proof("the agent reads the server, the archive and the backup: all is well")
        if not self._lab.agent.is_running():
            raise LabFailed("the agent ended", log=self._lab.agent.log)

    def _show_addresses(self) -> None:
        lab, url = self._lab, self._lab.agent.url
        for what, value in (
            ("metrics", f"{url}/metrics"),
            ("health", f"{url}/healthz"),
            ("page", f"{url}/"),
            ("DSN", lab.primary.dsn),
            ("archive", lab.archive),
            ("backup", lab.backup),
            ("server log", lab.primary.log),
            ("agent's log", lab.agent.log),
        ):
            self._story.note(f"{what:<12} {value}")
        self._story.note(f"the archive grows by a segment of {SEGMENT_MIB} MiB every few seconds")
        self._story.note("")
        for command in self._commands():
            self._story.to_type(command)

    def _commands(self) -> Iterator[str]:
        lab = self._lab
        yield f"curl -s {lab.agent.url}/metrics | grep '^pitr_finding.* [1-9]'"
        yield f"{_typed('pitr-check')} --archive {lab.archive} --backup {lab.backup}"
        if lab.installation.has("psql"):
            yield f'{lab.installation.program("psql")} "{lab.primary.dsn}"'
        yield f"tail -f {lab.primary.log}"

    def _break(self, fault: Fault) -> None:
        self._story.proof(f"broken: {self._service.break_it(fault.name)}", holds=False)
        self._story.note(f"the agent should now find: {' or '.join(sorted(fault.findings))}")
        started = time.monotonic()
        with self._story.waiting("until the agent notices"):
            page, noticed = self._service.wait_noticed(fault, timeout_seconds=_NOTICE_SECONDS)
        took = time.monotonic() - started
        when = f"after {took:.1f} s" if noticed else f"not within {took:.0f} s"
        self._story.agent_says(f"{when}: {describe_page(page)}", holds=noticed)

    def _watch(self) -> None:
        """Tell when the findings change, or the agent ends."""
        page = self._lab.agent.read()
        known = page.findings("warning", "critical") if page else set()
        while self._lab.agent.is_running():
            time.sleep(_LOOK_SECONDS)
            page = self._lab.agent.read()
            found = page.findings("warning", "critical") if page else known
            if found != known:
                known = found
                self._story.agent_says(describe_page(page), holds=not found)
        raise LabFailed("the agent ended", log=self._lab.agent.log)


def _typed(program: str) -> str:
    """How the person types a program of ours: as they typed this one."""
    return program if shutil.which(program) else str(Path(sys.argv[0]).with_name(program))
