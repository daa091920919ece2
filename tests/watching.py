"""pitr-watch as its users have it: a job that reads its JSON, a person before its screen."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyte

from agent.postgres.cluster import Cluster
from agent.watch.prober import Prober
from parsers.log.stream import LogStream
from rules.live.facts import LiveRestore, RestoreRecord, watch_restore
from rules.live.observation import Observation
from rules.live.summary import hold_to_sql, summarize
from rules.model.evidence import Evidence
from rules.model.facts import Objectives
from rules.verdict.check import Found, load_catalogue
from tests.fix_tools import PATIENCE_SECONDS
from tests.integration.restores import Story, segment_of_the_fourth_commit
from tests.watch_schema import check_lines

PATIENT = ("--timeout", f"{PATIENCE_SECONDS:.0f}s")  # of a job that is to see the end
PROGRAM = (sys.executable, "-c", "import sys; from agent.cli.watch import main; sys.exit(main())")


@contextlib.contextmanager
def prepared(
    story: Story, *, archive: Path | None = None, pause: float = 0.2, **settings: str | int | bool
) -> Iterator[Cluster]:
    """A restore that is ready to be started; each segment takes `pause` seconds to come."""
    home = story.primary.home.parent / f"l{next(story.restores)}"
    cluster = Cluster(story.primary.installation, home, story.primary.account)
    cluster.restore_from(
        story.backup,
        **{
            "restore_command": f"sleep {pause}; cp {archive or story.archive}/%f %p",
            "fsync": False,
            **settings,
        },
    )
    try:
        yield cluster
    finally:
        cluster.stop("immediate")


def held_until(go_on: Path, story: Story) -> dict[str, str]:
    """Settings, from 15 on, with which the fourth commit's segment comes once this file is there.

    Reading ahead would ask for it before all that comes before it was replayed.
    """
    segment = segment_of_the_fourth_commit(story)
    wait = f"test %f = {segment} && until test -e {go_on}; do sleep 0.1; done"
    command = f"{wait}; cp {story.archive}/%f %p"
    return {"restore_command": command, "recovery_prefetch": "off"}


def findings_of(
    check: str, pgdata: Path | None, log: str = "", dsn: str | None = None
) -> list[Found]:
    """What one check of the catalogue finds of a restore, by its directory, its log and SQL."""
    stream, record = LogStream(), RestoreRecord()
    record.apply_all([*stream.feed(log.encode()), *stream.end()])
    look = Prober(pgdata, dsn).look().reading
    restore = watch_restore(record, hold_to_sql(summarize(record), look.in_recovery), None)
    facts = {LiveRestore: restore, Observation: look}
    evidence = Evidence(now=datetime.now(UTC), objectives=Objectives(rpo_seconds=60), facts=facts)
    return list(load_catalogue()[check].ask(evidence))


class Job:
    """pitr-watch --format json, read line by line as it prints."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*PROGRAM, *arguments, "--format", "json"], stdout=subprocess.PIPE, text=True
        )
        self.lines: list[tuple[datetime, dict[str, Any]]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append((datetime.now(UTC), json.loads(line)))

    def end(self) -> int:
        """Wait for its end; every line that it printed is one of the contract's."""
        try:
            status = self.process.wait(PATIENCE_SECONDS)
        finally:
            self.process.kill()
            self._reader.join()
        check_lines([line for _, line in self.lines])
        return status

    def stop(self) -> None:
        """End it; whatever it has said so far is kept."""
        self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)
        self._reader.join()

    def names(self) -> list[str]:
        return [line["event"] for _, line in self.lines]

    def of(self, name: str) -> list[dict[str, Any]]:
        """The events of this name so far."""
        return [line for _, line in self.lines if line["event"] == name]

    def wait_for(self, name: str) -> dict[str, Any]:
        """The first event of this name, which may be still to come."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.of(name):
            assert time.monotonic() < deadline, self.lines
            time.sleep(0.05)
        return self.of(name)[0]


class Screen:
    """pitr-watch in a terminal of 100 by 30, its screen as text."""

    def __init__(
        self, *arguments: str, columns: int = 100, rows: int = 30, **environment: str
    ) -> None:
        self.raw = b""  # all that the terminal was sent
        self._ended = False
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        size = {"COLUMNS": str(columns), "LINES": str(rows)}
        inherited = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
        self.process = subprocess.Popen(
            [*PROGRAM, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**inherited, "TERM": "xterm-256color", **size, **environment},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """As a person does who drags the window; for what runs without COLUMNS and LINES."""
        self._screen.resize(rows, columns)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def is_read_by_line(self) -> bool:
        """Whether the terminal echoes and gives whole lines, as a shell wants it."""
        modes = int(termios.tcgetattr(self._master)[3])
        wanted = termios.ICANON | termios.ECHO
        return modes & wanted == wanted

    def _is_sent_more(self, seconds: float) -> bool:
        return not self._ended and bool(select.select([self._master], [], [], seconds)[0])

    @property
    def text(self) -> str:
        while self._is_sent_more(0):
            try:
                data = os.read(self._master, 65536)
            except OSError:
                data = b""
            if not data:
                self._ended = True
                break
            self.raw += data
            self._stream.feed(data)
        return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def cells(self) -> Mapping[int, Mapping[int, pyte.screens.Char]]:
        """What the terminal shows, row by row: characters with their colours."""
        return self._screen.buffer

    def wait_for(self, words: str) -> str:
        """The screen that has them, once nothing follows: a frame may come in two pieces."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while words not in (text := self.text) or self._is_sent_more(0.02):
            assert time.monotonic() < deadline, self.text
            time.sleep(0.05)
        return text

    def end(self) -> tuple[int, str]:
        """Wait for its end; its status, and all that it leaves on the screen."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.text
            _ = self.text  # a terminal that nobody reads holds up who writes to it
            time.sleep(0.05)
        return self.process.returncode, self.text
