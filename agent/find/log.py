"""The server's log, for who did it: records of clients, with user, database and transaction.

In a stderr log the prefix must hold them (`%u`, `%d`, `%x`): it is given, or the backup's own
configuration tells it. csvlog and jsonlog always do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import TextIOWrapper
from itertools import chain
from pathlib import Path

from agent.backups.settings import read_settings
from agent.errors import CannotCheck
from agent.store.local import open_file
from agent.store.paths import AnyPath, entries_of
from agent.zones import find_zone
from parsers.errors import ParseError
from parsers.log.csvlog import CsvReader, looks_like_csv
from parsers.log.format import LogReader, LogRecord, StderrReader
from parsers.log.jsonlog import JsonReader, looks_like_json
from parsers.log.prefix import MAX_PREFIX, parse_prefix
from parsers.log.times import Zone, parse_log_time
from parsers.sentences import tr
from rules.events.attribution import LogLine


class NotTold(Exception):
    """The log does not tell whose its records are. One line, with the reason."""


def read_log(path: str, prefix: str | None, backup: AnyPath | None) -> Iterator[LogLine]:
    """The records of a log file, or of the files of a directory, oldest first.

    Raises CannotCheck for a file that cannot be read, NotTold.
    """
    root = Path(path)
    if not root.exists():
        raise CannotCheck(tr("--log {path}: there is no such file or directory", path=path))
    files = [root]
    if root.is_dir():
        files = sorted(root / entry.name for entry in entries_of(root))
    settings = _settings(backup)
    zone = find_zone(settings.get("log_timezone", "")) if settings.get("log_timezone") else None
    for file in files:
        if file.is_file():
            yield from _read_file(
                file, prefix or settings.get("log_line_prefix"), Zone(log_timezone=zone)
            )


def _settings(backup: AnyPath | None) -> dict[str, str]:
    if backup is None:
        return {}
    try:
        return {name: setting.value for name, setting in read_settings(backup).items()}
    except (ParseError, OSError):
        return {}


def _read_file(path: Path, prefix: str | None, zone: Zone) -> Iterator[LogLine]:
    try:
        with TextIOWrapper(open_file(path), "utf-8", "replace", newline="\n") as file:
            first = file.readline().rstrip("\r\n")
            reader = _reader(path, first, prefix)
            for line in chain([first], file):
                for item in reader.read(line.rstrip("\r\n")):
                    if isinstance(item, LogRecord):
                        yield _line(item, zone)
            yield from (_line(item, zone) for item in reader.close() if isinstance(item, LogRecord))
    except OSError as error:
        raise CannotCheck(
            tr("--log {path}: cannot be read: {reason}", path=path, reason=error.strerror)
        ) from None


def _reader(path: Path, first: str, prefix: str | None) -> LogReader:
    if looks_like_json(first):
        return JsonReader()
    if looks_like_csv(first):
        return CsvReader()
    if prefix is None:
        raise NotTold(
            tr(
                "{path}: its log_line_prefix is not known: give it with --log-line-prefix",
                path=path,
            )
        )
    if len(prefix) > MAX_PREFIX:
        raise NotTold(
            tr(
                "{path}: its log_line_prefix has more than {most} characters",
                path=path,
                most=MAX_PREFIX,
            )
        )
    if "%u" not in _escapes(prefix):
        raise NotTold(
            tr(
                "{path}: log_line_prefix = {prefix!r} has no %u (nor %x, to prove it by)",
                path=path,
                prefix=prefix,
            )
        )
    return StderrReader(parse_prefix(prefix))


def _escapes(prefix: str) -> set[str]:
    return {f"%{letter}" for letter in re.findall(r"%-?\d*(.)", prefix)}


def _line(record: LogRecord, zone: Zone) -> LogLine:
    text = record.statement or record.message
    return LogLine(
        at=parse_log_time(record.stamp, zone) if record.stamp else None,
        user=record.user,
        database=record.database,
        pid=record.pid,
        xid=record.xid,
        text=text,
    )
