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
    from collections.abc import Mapping, Sequence
    from typing import Any

PROGRAM = "pitr-agent fetch-wal"
# The arguments of each.
OPTIONS = {
    "--archive": "URL",
    "--repository": "URL",
    "--pgbackrest": "CONFIG",
    "--barman": "CONFIG",
    "--walg": "CONFIG",
    "--stanza": "NAME",
    "--server": "NAME",
    "--repo": "N",
    "--config": "FILE",
    "--cluster": "NAME",
    "--prefetch": "N",
    "--prefetch-directory": "DIR",
    "--timeout": "DURATION",
    "--lang": "L",
}
_REMOTE = ("s3://", "gs://", "az://", "sftp://")
_TOOLS = ("--pgbackrest", "--barman", "--walg")
_OF_REPOSITORIES = ("--repository", *_TOOLS, "--stanza", "--server", "--repo")
FETCHED, ABSENT, ABORT = 0, 1, 200  # 126 and 127 are the shell's own

_USAGE = """\
usage: pitr-agent fetch-wal [--archive URL]... [--config FILE [--cluster NAME]]
                            [--repository URL]... [--stanza NAME | --server NAME] [--repo N]
                            [--pgbackrest CONFIG | --barman CONFIG | --walg CONFIG]
                            [--prefetch N [--prefetch-directory DIR]] [--timeout DURATION] %f %p

Puts a WAL segment or history file from an archive where PostgreSQL wants it: the restore_command
for archives in dated folders, compressed, or with several copies. It decompresses, checks that the
file is what its name says (size, system, timeline, address) and writes it atomically.

options:
  --archive URL   a directory with WAL in it, at any depth, or its place in an object store
                  (s3://bucket/prefix, gs://, az://) or on a host
                  (sftp://user@host/path); may be repeated
  --repository URL, --pgbackrest CONFIG, --barman CONFIG, --walg CONFIG
                  a repository of another tool, or all that its configuration names, decrypted and
                  held to the checksums that it has; with --stanza NAME or --server NAME.
                  --repo N takes one repository alone
  --config FILE   take the archives and repositories from the agent's configuration
  --cluster NAME  cluster name in FILE
  --prefetch N    fetch the next N segments while the server replays this one (1 to 64)
  --prefetch-directory DIR
                  where they wait, on the file system of pg_wal (default: in pg_wal)
  --timeout DURATION
                  stop recovery when the file is not there after so long, as 5m (default: never)
  --lang L        the language of this help, as es; lines for the server's log are English

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
        return _help(argv)
    if "--version" in argv:
        from agent import __version__

        print(f"pitr-agent {__version__}")
        return FETCHED
    try:
        name, target, roots, options, words = _arguments(argv)
        count, directory = _ahead(options)
        _limit(options.get("--timeout"))
        if not count:
            return _fetch(name, target, roots, words)
        return _fetch_ahead(name, target, roots, words, count, directory)
    except Abort as error:
        return _abort(str(error))
    except KeyboardInterrupt as error:
        from agent.cli.options.deadline import why

        return _abort(why(error))
    except BaseException as error:  # 1 to 125 would be taken for the end of the WAL
        if os.environ.get("PITR_DEBUG"):
            raise SystemExit(ABORT) from error
        return _abort(f"unexpected {type(error).__name__}: {error}")


def _help(argv: Sequence[str]) -> int:
    from agent.errors import UsageError
    from agent.language import choose, say_constant

    try:
        choose(argv)
    except UsageError as error:
        return _abort(str(error))
    print(say_constant(_USAGE), end="")
    return FETCHED


def _fetch(name: str, target: str, roots: list[str], words: list[str]) -> int:
    """From the archives, and whatever other tools store under the name."""
    from agent.archive.fetch import FileRefused, fetch

    if not words:
        try:
            return FETCHED if fetch(name, target, roots) else ABSENT
        except FileRefused as error:
            raise Abort(str(error)) from None
    from agent.cli.named_repositories import Repositories
    from agent.errors import CannotCheck, UsageError

    try:
        further = Repositories(words).find_wal(name)
        return FETCHED if fetch(name, target, roots, further=further) else ABSENT
    except (CannotCheck, FileRefused, UsageError) as error:
        raise Abort(str(error)) from None


def _fetch_ahead(
    name: str, target: str, roots: list[str], words: list[str], count: int, directory: str | None
) -> int:
    """From the spool if it is there; and see to what follows."""
    from agent.archive.spool import NotOurs, ask_for_more, is_segment, make_spool, spool_of, take

    if not is_segment(name):
        return _fetch(name, target, roots, words)
    try:
        spool = spool_of(target, directory)
    except (NotOurs, OSError) as error:
        _say(str(error))
        return _fetch(name, target, roots, words)
    taken = spool is not None and take(spool, name, target, roots, words)
    status = FETCHED if taken else _fetch(name, target, roots, words)
    if status == FETCHED:
        if words:
            from agent.cli.named_repositories import anywhere

            words = anywhere(words)
        try:
            spool = spool or make_spool(target, directory)
        except OSError:  # fetching ahead is no condition for a restore
            return status
        ask_for_more(spool, name, target, roots, words, count)
    return status


def _abort(message: str) -> int:
    _say(message)
    return ABORT


def _say(message: str) -> None:
    from agent.printable import printable

    try:
        print(f"{PROGRAM}: {printable(message)}", file=sys.stderr, flush=True)
    except OSError:
        return  # a full disk under the server's log changes no status


def _arguments(argv: Sequence[str]) -> tuple[str, str, list[str], dict[str, str], list[str]]:
    """(file wanted, path to write, archives, other options, the words that name repositories).

    argparse alone would cost as much as the fetch.
    """
    archives: list[str] = []
    repositories: list[str] = []  # options and their values
    options: dict[str, str] = {}
    plain: list[str] = []
    words = iter(argv)
    for word in words:
        option, equals, value = word.partition("=")
        if not word.startswith("--"):
            plain.append(word)
            continue
        if option not in OPTIONS:
            from agent.near import did_you_mean

            meant = did_you_mean(option, OPTIONS)
            raise Abort(f"unrecognized option {option}{meant} (type  {PROGRAM} --help)")
        value = value if equals else next(words, "")
        if not value:
            raise Abort(f"{option} needs a value (type  {PROGRAM} --help)")
        if option == "--archive":
            archives.append(value)
        elif option in _OF_REPOSITORIES:
            repositories += [option, value]
        else:
            options[option] = value
    if len(plain) != 2:
        raise Abort(f"expected %f and %p, found {len(plain)} words (type  {PROGRAM} --help)")
    if not archives and not {"--repository", *_TOOLS}.intersection(repositories[::2]):
        archives, configured = _configured(options)
        repositories = [*configured, *repositories] if configured else []
    return plain[0], plain[1], [_place(url) for url in archives], options, repositories


def _place(url: str) -> str:
    """An archive as it is listed: an address in a store is held to its form."""
    if not url.startswith(_REMOTE):
        return url
    from agent.store.urls import take

    try:
        return take(url)
    except ValueError as error:
        raise Abort(f"--archive {error}") from None


def _ahead(options: dict[str, str]) -> tuple[int, str | None]:
    text = options.get("--prefetch", "0")
    count = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= count <= 64:
        raise Abort(f"--prefetch {text}: write a number of segments, 1 to 64")
    directory = options.get("--prefetch-directory")
    if directory is not None and not count:
        raise Abort(f"--prefetch-directory needs --prefetch N (type  {PROGRAM} --help)")
    return count, directory


def _limit(text: str | None) -> None:
    if text is None:
        return
    from agent.cli.options import deadline
    from agent.durations import parse_duration

    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise Abort(f"--timeout {error}") from None
    if not seconds:
        raise Abort(f"--timeout {text}: write a duration, as 5m")
    deadline.name(PROGRAM)
    deadline.begin(seconds, ABORT)
    deadline.at_worst(None)


def _configured(options: dict[str, str]) -> tuple[list[str], list[str]]:
    """The archives of a cluster of the configuration, which other commands hold to its schema.

    And, where it has repositories, the words that name it: what they say is then read in full.
    """
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
        named = ["--config", path, "--cluster", wanted]
        fleets = [each for each in clusters.values() if _is_fleet(each)]
        if fleets and (wanted not in clusters or clusters[wanted] in fleets):
            return [], named
        if wanted not in clusters:
            raise Abort(f"{path}: which cluster? --cluster NAME, one of {', '.join(clusters)}")
        urls = [_configured_place(each) for each in clusters[wanted].get("archives") or ()]
        words = named if clusters[wanted].get("repositories") else []
    except OSError as error:
        raise Abort(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
        raise Abort(f"{path} is wrong (type  pitr-agent check-config --config {path})") from None
    if not urls and not words:
        raise Abort(f"{path}: cluster {wanted} has no archives")
    return urls, words


def _is_fleet(cluster: Mapping[str, Any]) -> bool:
    """Whether it stands for a cluster for each stanza or server."""
    return any(
        "*" in (each.get("stanza"), each.get("server"))
        for each in cluster.get("repositories") or ()
    )


def _configured_place(archive: Mapping[str, Any]) -> str:
    """Where a configured archive lies; how a store is reached is remembered for its address."""
    if "url_file" in archive:
        with open(archive["url_file"], encoding="utf-8") as file:  # noqa: PTH123 - as above
            url = file.read(4096).strip()
    else:
        url = str(archive["url"])
    try:
        if not url.startswith(_REMOTE):
            return _directory(url)
        from agent.store.urls import WRITTEN, StoreSettings, address_of, remember

        place = address_of(url)
        remember(place, StoreSettings(**{key: archive.get(key) for key in WRITTEN}))
    except ValueError as error:  # it quotes what the file holds
        wrong = f"url_file: {archive.get('url_file')}: it holds no address and no absolute path"
        raise Abort(f"--config: {wrong if 'url_file' in archive else error}") from None
    return place


def _directory(url: str) -> str:
    path = url.removeprefix("file://")
    if not path.startswith("/"):
        raise ValueError(f"{url!r} is not an absolute path")
    return path
