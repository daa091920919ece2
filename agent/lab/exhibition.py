"""`pitr-lab --serve`: the service on show, with what to open and type, until Ctrl-C."""

from __future__ import annotations

import time
from typing import Final

from agent.cli.entry import OK
from agent.lab.errors import LabFailed
from agent.lab.faults import Fault
from agent.lab.laboratory import Laboratory
from agent.lab.service import Service
from agent.lab.story import Story
from agent.lab.watching import CLUSTER, describe_page

_LOOK_SECONDS: Final = 1.0
_NOTICE_SECONDS: Final = 120.0


class Exhibition:
    """Brings the service up, breaks it if asked, and tells whenever the agent's mind changes."""

    def __init__(self, lab: Laboratory, story: Story) -> None:
        self._lab = lab
        self._story = story
        self._service = Service(lab, story)

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
        self._story.note("")
        for command in (
            f"curl -s {url}/metrics | grep '^pitr_finding.* 1'",
            f"pitr-check --archive {lab.archive} --backup {lab.backup}",
            f"pitr-agent check-config --config {lab.agent.config}",
            f"ls -l {lab.archive} | tail",
        ):
            self._story.note(f"$ {command}")

    def _break(self, fault: Fault) -> None:
        self._story.proof(f"broken: {self._service.break_it(fault.name)}", holds=False)
        self._story.note(f"the agent should now find: {' or '.join(sorted(fault.findings))}")
        started = time.monotonic()
        with self._story.waiting("until the agent notices"):
            page, noticed = self._service.wait_noticed(fault, timeout_seconds=_NOTICE_SECONDS)
        took = time.monotonic() - started
        when = f"after {took:.1f} s" if noticed else f"not within {took:.0f} s"
        self._story.agent_says(f"{when}: {describe_page(page)}", holds=noticed)
        self._story.note(f"$ curl -s {self._lab.agent.url}/metrics | grep 'cluster=\"{CLUSTER}\"'")

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
