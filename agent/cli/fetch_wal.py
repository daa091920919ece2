"""`pitr-agent fetch-wal %f %p`: the restore_command for archives that `cp` cannot read.

PostgreSQL takes 1 to 125 for "there is no such file", and then ends recovery, or promotes
(RestoreArchivedFile in src/backend/access/transam/xlogarchive.c). So 1 is said only of a file that
was looked for everywhere and is nowhere; whatever else goes wrong, a wrong option among it, ends
above 125 and aborts recovery. It runs once a segment: what it imports is counted in milliseconds,
and for a segment that was fetched ahead it imports nothing at all.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = "pitr-agent fetch-wal"
# What each wants behind it.
OPTIONS = {
    "--archive": "URL",
    "--config": "FILE",
    "--cluster": "NAME",
    "--prefetch": "N",
    "--prefetch-directory": "DIR",
}
FETCHED, ABSENT, ABORT = 0, 1, 200  # 126 and 127 are the shell's own

_USAGE = """\
usage: pitr-agent fetch-wal [--archive URL]... [--config FILE [--cluster NAME]]
                            [--prefetch N [--prefetch-directory DIR]] %f %p

Puts a WAL segment or history file from an archive where PostgreSQL wants it: the restore_command
for archives in dated folders, compressed, or with several copies. It decompresses, checks that the
file is what its name says (size, system, timeline, address) and writes it atomically.

options:
  --archive URL   a directory with WAL in it, at any depth; may be repeated
  --config FILE   take the archives from the agent's configuration
  --cluster NAME  which cluster of it
  --prefetch N    fetch the next N segments while the server replays this one (1 to 64)
  --prefetch-directory DIR
                  where they wait, on the file system of pg_wal (default: in pg_wal)

examples:
  restore_command = 'pitr-agent fetch-wal --archive /backup/wal %f %p'
  restore_command = 'pitr-agent fetch-wal --archive /wal --archive /copy/wal --prefetch 4 %f %p'
  restore_command = 'pitr-agent fetch-wal --config /etc/pitr-agent/pitr.yaml --cluster lab %f %p'
  pitr-agent fetch-wal --archive /backup/wal 000000010000000000000042 /tmp/segment

exit status:
  0    the file is there
  1    no archive has it
  200  recovery must stop: an archive cannot be read, or what it holds under this name is damaged,
       incomplete or another cluster's; also for a wrong option
"""


class Abort(Exception):
    """Recovery must not go on as if the file did not exist. One line for the server's log."""


def main(argv: Sequence[str]) -> int:
    """Fetch one file, and give the exit status that PostgreSQL acts upon."""
    if any(argument in ("-h", "--help") for argument in argv):
        print(_USAGE, end="")
        return FETCHED
    try:
        name, target, roots, (count, directory) = _arguments(argv)
        if not count:
            return _fetch(name, target, roots)
        return _fetch_ahead(name, target, roots, count, directory)
    except Abort as error:
        return _abort(str(error))
    except BaseException as error:  # 1 to 125 would be taken for the end of the WAL
        if os.environ.get("PITR_DEBUG"):
            raise SystemExit(ABORT) from error
        return _abort(f"unexpected {type(error).__name__}: {error}")


def _fetch(name: str, target: str, roots: list[str]) -> int:
    from agent.archive.fetch import Refused, fetch

    try:
        return FETCHED if fetch(name, target, roots) else ABSENT
    except Refused as error:
        raise Abort(str(error)) from None


def _fetch_ahead(
    name: str, target: str, roots: list[str], count: int, directory: str | None
) -> int:
    """From the spool if it is there; and see to what follows."""
    from agent.archive.spool import ask_for_more, is_segment, spool_of, take

    if not is_segment(name):
        return _fetch(name, target, roots)
    spool = spool_of(target, directory)
    status = FETCHED if take(spool, name, target) else _fetch(name, target, roots)
    if status == FETCHED:
        ask_for_more(spool, name, target, roots, count)
    return status


def _abort(message: str) -> int:
    print(f"{PROGRAM}: {message}", file=sys.stderr)
    return ABORT


def _arguments(argv: Sequence[str]) -> tuple[str, str, list[str], tuple[int, str | None]]:
    """(file wanted, path to write, archives, (segments to fetch ahead, where they wait)).

    argparse alone would cost as much as the fetch.
    """
    archives: list[str] = []
    options: dict[str, str] = {}
    plain: list[str] = []
    words = iter(argv)
    for word in words:
        option, equals, value = word.partition("=")
        if not word.startswith("--"):
            plain.append(word)
            continue
        if option not in OPTIONS:
            raise Abort(f"unrecognized option {option} (type  {PROGRAM} --help)")
        value = value if equals else next(words, "")
        if not value:
            raise Abort(f"{option} needs a value (type  {PROGRAM} --help)")
        if option == "--archive":
            archives.append(value)
        else:
            options[option] = value
    if len(plain) != 2:
        raise Abort(f"expected %f and %p, found {len(plain)} words (type  {PROGRAM} --help)")
    archives = archives or _configured(options)
    return plain[0], plain[1], archives, _ahead(options)


def _ahead(options: dict[str, str]) -> tuple[int, str | None]:
    text = options.get("--prefetch", "0")
    count = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= count <= 64:
        raise Abort(f"--prefetch {text}: write a number of segments, 1 to 64")
    directory = options.get("--prefetch-directory")
    if directory is not None and not count:
        raise Abort(f"--prefetch-directory needs --prefetch N (type  {PROGRAM} --help)")
    return count, directory


def _configured(options: dict[str, str]) -> list[str]:
    """The archives of a cluster of the configuration, which other commands hold to its schema."""
    path = options.get("--config")
    if path is None:
        raise Abort(f"which archive? --archive URL, or --config FILE (type  {PROGRAM} --help)")
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs start-up time
            document = yaml.load(file, loader)
        clusters = {cluster["name"]: cluster for cluster in document["clusters"]}
        wanted = options.get("--cluster") or (next(iter(clusters)) if len(clusters) == 1 else "")
        if wanted not in clusters:
            raise Abort(f"{path}: which cluster? --cluster NAME, one of {', '.join(clusters)}")
        urls = [str(archive["url"]) for archive in clusters[wanted].get("archives") or ()]
    except OSError as error:
        raise Abort(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
        raise Abort(f"{path} is wrong (type  pitr-agent check-config --config {path})") from None
    if not urls:
        raise Abort(f"{path}: cluster {wanted} has no archives")
    return urls
