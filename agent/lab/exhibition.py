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
from agent.language import say
from parsers.sentences import tr

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
        with self._story.step(tr("A primary under light traffic, a base backup, the agent")):
            self._service.start(fault)
        with self._story.step(tr("A healthy moment")):
            self._wait_healthy()
        with self._story.step(tr("What to open, and what to type")):
            self._show_addresses()
        try:
            if fault is not None:
                with self._story.step(tr("The fault: {fault}", fault=fault.name)):
                    self._break(fault)
            self._story.verdict(tr("serving until Ctrl-C"), holds=True)
            self._watch()
        except KeyboardInterrupt:
            self._story.verdict(tr("stopping"), holds=True)
        return OK

    def _wait_healthy(self) -> None:
        with self._story.waiting(tr("until the agent has read everything and finds nothing wrong")):
            page, healthy = self._service.wait_healthy()
        self._story.agent_says(describe_page(page), holds=healthy)
        if healthy:
            self._story.proof(
                tr("the agent reads the server, the archive and the backup: all is well")
            )
        if not self._lab.agent.is_running():
            raise LabFailed(tr("the agent ended"), log=self._lab.agent.log)

    def _show_addresses(self) -> None:
        lab, url = self._lab, self._lab.agent.url
        rows = (
            (tr("metrics"), f"{url}/metrics"),
            (tr("health"), f"{url}/healthz"),
            (tr("page"), f"{url}/"),
            ("DSN", lab.primary.dsn),
            (tr("archive"), lab.archive),
            (tr("backup"), lab.backup),
            (tr("server log"), lab.primary.log),
            (tr("agent's log"), lab.agent.log),
        )
        width = max(len(say(what)) for what, _ in rows) + 1
        for what, value in rows:
            self._story.note(f"{say(what):<{width}} {value}")
        self._story.note(
            tr("the archive grows by a segment of {size} MiB every few seconds", size=SEGMENT_MIB)
        )
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
        done = self._service.break_it(fault.name)
        self._story.proof(tr("broken: {done}", done=done), holds=False)
        ids = say(tr(" or ")).join(sorted(fault.findings))
        self._story.note(tr("the agent should now find: {ids}", ids=ids))
        started = time.monotonic()
        with self._story.waiting(tr("until the agent notices")):
            page, noticed = self._service.wait_noticed(fault, timeout_seconds=_NOTICE_SECONDS)
        took = time.monotonic() - started
        when = (
            tr("after {time:.1f} s", time=took)
            if noticed
            else tr("not within {time:.0f} s", time=took)
        )
        self._story.agent_says(
            tr("{when}: {page}", when=when, page=describe_page(page)), holds=noticed
        )

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
        raise LabFailed(tr("the agent ended"), log=self._lab.agent.log)


def _typed(program: str) -> str:
    """How the person types a program of ours: as they typed this one."""
    return program if shutil.which(program) else str(Path(sys.argv[0]).with_name(program))
