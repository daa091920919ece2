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
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final

from agent.config import ClusterConfig
from agent.config_drill import DrillConfig
from agent.drill_schedule.document import not_run, read_record
from agent.postgres.guardian import Guardian
from rules.drills import DrillRecord, DrillsFacts

log: Final = logging.getLogger("pitr.drill")

# -P: nothing is imported from whatever directory the agent was started in.
_PROGRAM: Final = (
    sys.executable, "-P", "-c", "import sys; from agent.cli.check import main; sys.exit(main())",
)  # fmt: skip
_STOP_SECONDS: Final = 20.0  # to stop its server and to remove what it restored
_READING_SECONDS: Final = 3600.0  # for what comes before the drill, which knows its own time
_SAID_MAX: Final = 20  # lines of its standard error that count, the last ones
_LINE_BYTES: Final = 1 << 16


async def run_drill(config: ClusterConfig, drills: DrillsFacts, ledger: Path | None) -> DrillRecord:
    """Make one drill, and give its record. Cancelled, it ends the child and waits for it."""
    assert config.drill is not None, "asked only of a cluster that is drilled"
    started_at, started = datetime.now(UTC), monotonic()
    child = await asyncio.create_subprocess_exec(
        *_PROGRAM,
        *command_line(config, config.drill, drills, ledger),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        limit=_LINE_BYTES,
    )
    guardian = Guardian(child.pid, signal.SIGTERM)
    late = None
    try:
        async with asyncio.timeout(config.drill.timeout + _READING_SECONDS):
            output, said = await _listen(child, config.drill, config.name)
    except TimeoutError:
        late = "it was broken off: the archive was not read, or the drill did not end in its time"
        output, said = b"", []
    finally:
        await _end(child)
        guardian.dismiss()
    seconds = monotonic() - started
    record = None if late else read_record(output, started_at, seconds)
    reason = late or (said[-1] if said else f"it ended with status {child.returncode}")
    return record or not_run(reason, started_at, seconds)


def command_line(
    config: ClusterConfig, drill: DrillConfig, drills: DrillsFacts, ledger: Path | None
) -> list[str]:
    """The options of pitr-check for a drill of this cluster; the probes come on standard input."""
    assert config.backups is not None
    words = ["--backups", config.backups.url, "--backup-depth", "label", "--other-machine"]
    for archive in config.archives:
        words += ["--archive", archive.url]
    words += ["--workers", "1", "--format", "json", "--drill"]
    words += _given("--ledger", ledger)
    words += _given("--io-limit", f"{config.io_limit:.0f}B/s" if config.io_limit else None)
    words += _given("--reverify", f"{config.reverify}s" if config.reverify else None)
    words += _given("--drill-timeout", f"{drill.timeout}s")
    words += _given("--drill-directory", drill.directory)
    words += _given("--pg-bindir", drill.pg_bindir)
    words += _given("--probes", "/dev/stdin" if drill.probes else None)
    if drill.nice:
        words.append("--nice")
    if drill.at == "random":
        words.append("--random-instant")
        instants = {record.instant for record in drills.records if record.ran}
        for instant in sorted(at for at in instants if at is not None):
            words += ["--drilled", instant.isoformat()]
    return words


def probes_document(drill: DrillConfig) -> bytes:
    """The probes as --probes reads them: JSON that is YAML, which knows no pairs of surrogates."""
    probes = [probe.model_dump() for probe in drill.probes]
    return json.dumps(probes, ensure_ascii=False).encode()


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
