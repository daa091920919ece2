"""`--try-restore-command`: run the restore_command as the server would, into a temporary directory.

It is asked for a segment that the archive has and for two files that no archive has. It runs as the
invoking user, which need not be the server's account: what that one may read is not shown by it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from agent.archive.restore_command import restore_command
from agent.archive.stored import read_stored
from agent.archive.unreadable import Unreadable, read_guarded, why_unreadable
from agent.errors import CannotCheck
from agent.postgres.account import own_name
from parsers.sentences import message_of, tr
from parsers.values import dataclass
from rules.backup.restore_trial import BadPlaceholder, Trial, TrialFacts, expand_command
from rules.case.case import Case
from rules.case.derived.listing import Listings
from rules.model.facts import ArchivedFile, ArchiveFacts, BackupFacts
from rules.verdict.report import Report

_BEYOND: Final = 1000  # how far above the newest timeline the names lie that no archive has


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What is to be run, and within what."""

    command: str
    restart: str  # %r
    major: int
    timeout_seconds: float


def try_restore_command(report: Report, case: Case, timeout_seconds: float) -> TrialFacts | None:
    """Try the command of the backup chosen, else the one that the verdict proposes.

    None without a backup or without an archived segment to ask for.
    """
    archive, listings = case.get(ArchiveFacts), case.get(Listings)
    sources = listings.sources if listings else ()
    backup = report.target.backup or (report.backups[-1].facts if report.backups else None)
    size = report.segment_size_bytes
    if archive is None or backup is None or size is None:
        return None
    wanted = _choose(report, archive, backup)
    if wanted is None:
        return None
    command, read_from = _command(backup, sources)
    name, file = wanted
    order = _Order(
        command=command,
        restart=backup.label.start_segment,
        major=backup.major or report.server_major or 0,
        timeout_seconds=timeout_seconds,
    )
    nowhere = f"{max(report.tree.timelines, default=1) + _BEYOND:08X}"
    try:
        content = read_guarded(lambda: read_stored(file.directory, file.name, size)).data
    except (FileNotFoundError, Unreadable) as error:
        raise CannotCheck(tr("{path}: {why}", path=file.path, why=why_unreadable(error))) from None
    asked = {
        name: content,
        f"{nowhere}.history": None,
        f"{nowhere}{name[8:]}": None,
    }
    refused, trials = None, list[Trial]()
    try:
        for each, expected in asked.items():
            trials.append(_try(order, each, expected))
            if trials[-1].status is None:
                break  # it hangs: once is enough
    except BadPlaceholder as error:
        refused = message_of(error)
    return TrialFacts(
        command=command,
        read_from=read_from,
        account=own_name(),
        timeout_seconds=timeout_seconds,
        segment_size_bytes=size,
        trials=tuple(trials),
        refused=refused,
    )


def _command(backup: BackupFacts, sources: tuple[ArchiveFacts, ...]) -> tuple[str, str]:
    """The configured command and where it stands, else the one for this layout."""
    settings = backup.settings
    configured = settings.value("restore_command") if settings else None
    if settings and configured:
        return configured, settings.read_from("restore_command")
    every = [name for source in sources for name in source.segments]
    return restore_command(sources, every), tr("none is configured: the one for this archive")


def _choose(
    report: Report, archive: ArchiveFacts, backup: BackupFacts
) -> tuple[str, ArchivedFile] | None:
    """A segment that a restore needs and that is known to be sound."""
    outcome = report.target.prediction
    needed = outcome.segments_needed if outcome else (backup.label.start_segment,)
    damaged = {damage.segment for damage in (report.scan.damaged if report.scan else ())}
    for name in [*reversed(needed), *sorted(archive.segments, reverse=True)]:
        if name in archive.segments and name not in damaged:
            return name, archive.segments[name]
    return None


def _try(order: _Order, name: str, expected: bytes | None) -> Trial:
    """Ask for one file, in a directory that looks like the server's own."""
    with tempfile.TemporaryDirectory(prefix="pitr-try-") as directory:
        (Path(directory) / "pg_wal").mkdir()
        kind = "RECOVERYHISTORY" if name.endswith(".history") else "RECOVERYXLOG"
        target = Path(directory) / "pg_wal" / kind
        command = expand_command(
            order.command,
            path=f"pg_wal/{kind}",
            file=name,
            restart=order.restart,
            major=order.major,
        )
        status, said = _run(command, directory, order.timeout_seconds)
        content = target.read_bytes() if target.is_file() else None
    same = None if content is None or expected is None else content == expected
    return Trial(
        asked=name,
        archived=expected is not None,
        status=status,
        size_bytes=None if content is None else len(content),
        same=same,
        said=said,
    )


def _run(command: str, directory: str, timeout_seconds: float) -> tuple[int | None, str]:
    """The status as system() gives it (None: out of time), and the last line of what it said."""
    errors = Path(directory) / "stderr"
    with errors.open("wb") as stream:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stream,
            start_new_session=True,
        )
        try:
            status: int | None = process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            status = None
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    lines = errors.read_text("utf-8", "replace").strip().splitlines()
    return status, lines[-1] if lines else ""
