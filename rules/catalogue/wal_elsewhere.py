"""WAL that a restore can use lies outside the archives.

Why it matters
    The verdict counts it because it was named with --wal; nothing keeps it there. A server that is
    started again on that pg_wal recycles it.
What to do
    Copy the segments to the archive under their names, now: the commands are given. An unfinished
    one (.partial) goes without its suffix; files that the server recycled under later names hold
    older WAL and are left out.
"""

import shlex
from collections.abc import Iterator
from itertools import groupby

from parsers.lsn import format_lsn
from parsers.sentences import joined, tr
from rules.model.counted import counted
from rules.model.evidence import CopyStep, ElsewhereFacts, Gain
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING, asked=True)
def wal_elsewhere(elsewhere: ElsewhereFacts) -> Iterator[Found]:
    places = ", ".join(elsewhere.urls)
    if not elsewhere.segments and not elsewhere.gains:
        return
    names = elsewhere.segments
    span = (
        tr("{first} to {last}", first=names[0], last=names[-1])
        if len(names) > 1
        else "".join(names)
    )
    gains = joined("; ", map(_gain, elsewhere.gains)) or tr("no backup reaches further by them")
    commands = "; ".join(copy_commands(elsewhere))
    remedy = (
        tr("Copy what the gain needs, now: {commands}", commands=commands) if commands else None
    )
    yield Found(
        tr(
            "{places}: {segments} that no archive has ({span}): {gains}{recycled}",
            places=places,
            segments=counted(len(names), "segment"),
            span=span,
            gains=gains,
            recycled=_recycled(elsewhere),
        ),
        remedy=remedy,
        first=names[0] if names else None,
        last=names[-1] if names else None,
        segments=len(names),
        copy=commands or None,
        recycled=len(elsewhere.recycled),
    )


def _gain(gain: Gain) -> str:
    before = format_lsn(gain.from_lsn) if gain.from_lsn is not None else tr("nothing")
    times = ""
    if gain.to_time is not None:
        was = f"{gain.from_time:%Y-%m-%d %H:%M:%S.%f}" if gain.from_time else tr("no commit")
        times = tr(
            ", the last commit from {was} to {now:%Y-%m-%d %H:%M:%S.%f %Z}",
            was=was,
            now=gain.to_time,
        )
    more = tr(", {commits}", commits=counted(gain.commits, "more commit")) if gain.commits else ""
    return tr(
        "on timeline {timeline} the window of {backup} grows from {before} to {lsn}{times}{more}",
        timeline=gain.timeline,
        backup=gain.backup,
        before=before,
        lsn=format_lsn(gain.to_lsn),
        times=times,
        more=more,
    )


def _recycled(elsewhere: ElsewhereFacts) -> str:
    count = len(elsewhere.recycled)
    if not count:
        return ""
    files = counted(count, "file")
    return tr("; do not copy {files} with later names: older WAL, or none", files=files)


def copy_commands(elsewhere: ElsewhereFacts) -> Iterator[str]:
    """Shell commands that bring the files into the archive, one a source and kind.

    `cp -n` never overwrites; a file that is to be replaced is moved aside before.
    """
    if elsewhere.destination is None:
        return
    archive = elsewhere.destination.rstrip("/")
    for (directory, renamed), steps in groupby(elsewhere.copies, key=_kind):
        several = list(steps)
        for step in several:
            if step.replaces:
                yield f"mv {_word(archive, step.name)} {_word(archive, step.name)}.damaged"
        if renamed or _is_tar(directory):
            for step in several:
                yield _copy_one(directory, step, archive)
        else:
            sources = " ".join(_word(directory, step.stored) for step in several)
            yield f"cp -n {sources} {shlex.quote(archive)}/"


def _kind(step: CopyStep) -> tuple[str, bool]:
    """What one cp can do together: files of a directory that keep their names."""
    return step.directory, step.stored != step.name


def _copy_one(directory: str, step: CopyStep, archive: str) -> str:
    if _is_tar(directory):
        tar, member = shlex.quote(directory), shlex.quote(step.stored)
        return f"tar -xOf {tar} {member} > {_word(archive, step.name)}"
    return f"cp -n {_word(directory, step.stored)} {_word(archive, step.name)}"


def _is_tar(directory: str) -> bool:
    """A source that is itself a file: pg_wal.tar, compressed or not."""
    return ".tar" in directory.rpartition("/")[2]


def _word(directory: str, name: str) -> str:
    return shlex.quote(f"{directory}/{name}")
