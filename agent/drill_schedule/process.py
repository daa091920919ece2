"""One drill as a child process: `pitr-check --drill`, which a person could type as well.

A process of its own has its own priority, can be ended at any moment, and delays nothing here. It
ends with the agent: in order when that stops, and when the agent is killed a process beside it
sends the child the same SIGTERM.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final

from agent.config.drills import DrillConfig
from agent.config.model import ResolvedCluster
from agent.config.repositories import secrets_of, words_of
from agent.drill_schedule.document import not_run, read_record
from agent.drill_schedule.unit import PROGRAM, drill_by_unit
from agent.errors import UsageError
from agent.postgres.guardian import Guardian
from agent.store.urls import whole
from parsers.sentences import message_of, tr
from rules.drill.records import DrillRecord, DrillsFacts

log: Final = logging.getLogger("pitr.drill")

_STOP_SECONDS: Final = 20.0  # to stop its server and to remove what it restored
_READING_SECONDS: Final = 3600.0  # for what comes before the drill, which knows its own time
_LATE: Final = tr(
    "it was broken off: the archive was not read, or the drill did not end in its time"
)
_SAID_MAX: Final = 20  # lines of its standard error that count, the last ones
_LINE_BYTES: Final = 1 << 16


async def run_drill(
    config: ResolvedCluster, drills: DrillsFacts, ledger: Path | None
) -> DrillRecord:
    """Make one drill, and give its record. Cancelled, it ends the child and waits for it."""
    assert config.drill is not None, "asked only of a cluster that is drilled"
    if config.drill.socket is not None:
        return await _run_by_unit(config, config.drill, drills, config.drill.socket)
    started_at, started = datetime.now(UTC), monotonic()
    child = await asyncio.create_subprocess_exec(
        *PROGRAM,
        *command_line(config, config.drill, drills, ledger),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        limit=_LINE_BYTES,
        env=os.environ | secrets_of(config.repositories),
    )
    guardian = Guardian(child.pid, signal.SIGTERM)
    late = None
    try:
        async with asyncio.timeout(config.drill.timeout + _READING_SECONDS):
            output, said = await _listen(child, config.drill, config.name)
    except TimeoutError:
        late = _LATE
        output, said = b"", []
    finally:
        await _end(child)
        guardian.dismiss()
    seconds = monotonic() - started
    record = None if late else read_record(output, started_at, seconds)
    reason = late or (
        said[-1] if said else tr("it ended with status {status}", status=child.returncode)
    )
    return record or not_run(reason, started_at, seconds)


async def _run_by_unit(
    config: ResolvedCluster, drill: DrillConfig, drills: DrillsFacts, socket: Path
) -> DrillRecord:
    """The same by a unit of its own, which has its own ledger and ends when we let go of it."""
    started_at, started = datetime.now(UTC), monotonic()
    said: list[str] = []

    def hear(line: str) -> None:
        log.info("%s: %s", config.name, line)
        said[:] = [*said, line][-_SAID_MAX:]

    words = command_line(config, drill, drills, None)
    record, reason = None, ""
    try:
        async with asyncio.timeout(drill.timeout + _READING_SECONDS):
            ended = await drill_by_unit(
                socket, words, secrets_of(config.repositories), _probes_of(drill), hear
            )
    except TimeoutError:
        reason = _LATE
    except OSError as error:
        why = error.strerror or message_of(error)
        reason = tr(
            "{socket}: {why}: systemctl enable --now pitr-drill.socket", socket=socket, why=why
        )
    else:
        record = read_record(ended.output, started_at, monotonic() - started)
        reason = (
            said[-1] if said else tr("the unit ended with status {status}", status=ended.status)
        )
    return record or not_run(reason, started_at, monotonic() - started)


def command_line(
    config: ResolvedCluster, drill: DrillConfig, drills: DrillsFacts, ledger: Path | None
) -> list[str]:
    """The options of pitr-check for a drill of this cluster; the probes come on standard input."""
    words = _given("--backups", whole(config.backups.url) if config.backups else None)
    words += [*words_of(config.repositories), "--backup-depth", "label", "--other-machine"]
    for archive in config.archives:
        words += ["--archive", whole(archive.url)]
    words += ["--workers", "1", "--format", "json", "--drill"]
    words += _given("--ledger", ledger)
    words += _given("--io-limit", f"{config.io_limit:.0f}B/s" if config.io_limit else None)
    words += _signed(config)
    words += _given("--reverify", f"{config.reverify}s" if ledger else None)
    words += _given("--drill-timeout", f"{drill.timeout}s")
    words += _given("--drill-directory", drill.directory)
    words += _given("--pg-bindir", drill.pg_bindir)
    words += _given("--drill-user", drill.user)
    words += _given("--confine", drill.confine if drill.confine != "auto" else None)
    for library in drill.preload:
        words += ["--preload", library]
    words += _given("--probes", "/dev/stdin" if drill.probes else None)
    if drill.nice:
        words.append("--nice")
    if drill.at == "random":
        words.append("--random-instant")
        instants = {record.instant for record in drills.records if record.ran}
        for instant in sorted(at for at in instants if at is not None):
            words += ["--drilled", instant.isoformat()]
    return words


def _signed(config: ResolvedCluster) -> list[str]:
    """The drill signs its own statement. A key that is of no use stops none: the agent says it."""
    evidence = config.evidence
    if evidence is None:
        return []
    from agent.evidence.keys import read_signing_key

    try:
        read_signing_key(evidence.key)
    except UsageError:
        return []
    return [
        *("--evidence", str(evidence.directory)),
        *("--evidence-key", str(evidence.key)),
        *("--evidence-limit", f"{evidence.limit}B"),
        *("--evidence-name", config.name),
    ]


def probes_document(drill: DrillConfig) -> bytes:
    """The probes as --probes reads them: JSON that is YAML, which knows no pairs of surrogates."""
    return json.dumps(_probes_of(drill), ensure_ascii=False).encode()


def _probes_of(drill: DrillConfig) -> list[object]:
    return [probe.model_dump() for probe in drill.probes]


def _given(option: str, value: object) -> list[str]:
    return [] if value is None else [option, str(value)]


async def _listen(
    child: asyncio.subprocess.Process, drill: DrillConfig, name: str
) -> tuple[bytes, list[str]]:
    """Hand over the probes, and read both outputs to their ends."""
    assert child.stdin is not None and child.stdout is not None and child.stderr is not None
    with contextlib.suppress(ConnectionError):
        child.stdin.write(probes_document(drill))
        await child.stdin.drain()
    child.stdin.close()
    output, said = await asyncio.gather(child.stdout.read(), _say(child.stderr, name))
    await child.wait()
    return output, said


async def _say(stream: asyncio.StreamReader, name: str) -> list[str]:
    """Log what it says while it runs."""
    said: list[str] = []
    async for line in _lines(stream):
        log.info("%s: %s", name, line)
        said = [*said, line][-_SAID_MAX:]
    return said


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    while not stream.at_eof():
        try:
            line = (await stream.readline()).decode("utf-8", "replace").strip()
        except ValueError:  # longer than anything that it says
            continue
        if line:
            yield line


async def _end(child: asyncio.subprocess.Process) -> None:
    """See it ended: in order, or killed. Its server ends with it."""
    for how in _escalation(child):
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(how)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(
                asyncio.shield(asyncio.ensure_future(child.wait())), _STOP_SECONDS
            )


def _escalation(child: asyncio.subprocess.Process) -> Iterator[signal.Signals]:
    for how in (signal.SIGTERM, signal.SIGKILL):
        if child.returncode is None:
            yield how
