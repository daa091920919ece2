"""300 command lines, well-formed and not, typed at random: a status of the contract, always.

Each is made of a seed, so what fails can be typed again: the test prints it.
"""

from __future__ import annotations

import os
import random
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

import pytest

from agent.cli.completion import PROGRAMS
from tests import forked

LINES: Final = 300
_PARTS: Final = 6  # of them a test each, so that a failure does not hide the others
_STATUSES: Final = frozenset({0, 1, 2, 3, 64})
_OF_FETCH_WAL: Final = frozenset({0, 1, 200})
_DATA: Final = Path(__file__).parents[2] / "data"
_LOG: Final = Path(__file__).parents[2] / "parsers" / "logs" / "no_target.log"

_ODD: Final = (
    "", " ", "-", "--", "0", "-1", "1e9", "latest", "nonsense", "é", "\udce9", "a\x1b[2Jb", "a\nb",
    "x" * 5000, "../..", "/dev/null", "/proc/self/mem", "/nowhere", "s3://", "s3:///x", "ftp://u:p@h/x",
    "file://", "sftp://", "%s", "{}", "'", '"', "NaN", "1" * 400, "🐘",
)  # fmt: skip
_TIMES: Final = (
    "2025-07-10 12:36:07-07", "2025-07-10", "yesterday", "infinity", "0001-01-01", "99999-01-01",
    "2025-13-45", "2025-07-10T12:36:07Z", "now", "12:00", "2025-07-10 12:36 America/Mazatln",
)  # fmt: skip
_DURATIONS: Final = ("1s", "5m", "10", "1h30m", "0", "-5s", "soon", "9" * 300 + "s", "1ms")

T = TypeVar("T")


class Typist:
    """Types one line after another."""

    def __init__(self, seed: int, places: Sequence[str]) -> None:
        self._random = random.Random(seed)
        self._places = places
        self._values: dict[str, Callable[[], str]] = {
            "place": lambda: self._one(self._places),
            "time": lambda: self._one(_TIMES),
            "duration": lambda: self._one(_DURATIONS),
            "odd": lambda: self._one(_ODD),
        }

    def line(self) -> list[str]:
        program, options, subcommands = self._one(_GRAMMAR)
        words = [program]
        if subcommands and self._chance(0.5):
            words.append(self._one(subcommands))
        for _ in range(self._random.randrange(7)):
            words += self._option(options)
        if self._chance(0.1):
            words.append(self._value("odd"))
        if program == "pitr-watch" and not {"--once", "--timeout"} & set(words):
            words += ["--timeout", "100ms"]  # it would wait for what never comes
        return [_typable(word) for word in words]

    def _option(self, options: Sequence[tuple[str, str | tuple[str, ...] | None]]) -> Iterator[str]:
        name, kind = self._one(options)
        name = self._misspelt(name) if self._chance(0.06) else name
        if kind is None or self._chance(0.04):
            yield name
            return
        value = self._one(kind) if isinstance(kind, tuple) else self._value(kind)
        value = self._value("odd") if self._chance(0.12) else value
        yield from ([f"{name}={value}"] if self._chance(0.2) else [name, value])

    def _value(self, kind: str) -> str:
        return self._values[kind]()

    def _misspelt(self, name: str) -> str:
        at = self._random.randrange(min(2, len(name) - 1), len(name))  # -v is short
        return self._one(
            [name[:at] + name[at + 1 :], name.upper(), name.replace("-", "_"), name[1:]]
        )

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _one(self, several: Sequence[T]) -> T:
        return self._random.choice(several)


def _typable(word: str) -> str:
    """No shell can give a program a NUL."""
    return word.replace("\0", "")


_SOURCES: Final = (
    ("--archive", "place"), ("--archive", "place"), ("--wal", "place"), ("--backup", "place"),
    ("--backups", "place"), ("--layout", ("auto", "directory", "odd")), ("--config", "place"),
    ("--cluster", ("a", "b")), ("--repository", "place"), ("--stanza", ("main", "x")),
    ("--server", ("main", "x")), ("--repo", ("1", "2", "x")), ("--pgbackrest", "place"),
    ("--barman", "place"), ("--walg", "place"), ("--ledger", "odd"), ("--budget", "duration"),
    ("--reverify", "duration"), ("--timeout", "duration"), ("--workers", ("1", "2", "0", "x")),
    ("--scheduler", ("h:8786", "tcp://h", "")), ("--color", ("never", "blue")),
    ("--io-limit", ("1MB/s", "5", "fast")), ("--version", None), ("--help", None),
)  # fmt: skip
_TARGETS: Final = (
    ("--target-time", "time"), ("--target-lsn", ("0/3000000", "FF/0", "x")),
    ("--target-xid", ("5", "-1", "x")), ("--target-name", ("before", "")), ("--exclusive", None),
    ("--target-immediate", None), ("--timeline", ("latest", "current", "2", "x")),
    ("--action", ("promote", "pause", "halt")), ("--now", "time"), ("--other-machine", None),
    ("--depth", ("names", "headers", "records", "deep")), ("--wait", ("1ms", "5", "soon")),
    ("--backup-depth", ("label", "files", "pages", "x")), ("--try-restore-command", None),
    ("--format", ("text", "json", "nagios", "prometheus", "html", "xml")), ("-v", None),
    ("--via", ("tool", "restore_command", "x")), ("--drilled", "time"), ("--nice", None),
)  # fmt: skip
_QUESTIONS: Final = (
    ("--around", "time"), ("--from", "time"), ("--to", "time"), ("--dropped", ("t", "1", "")),
    ("--xid", ("5", "x")), ("--covers", "time"), ("--limit", ("1", "0", "x")), ("--log", "place"),
    ("--dsn", ("host=/nowhere connect_timeout=1", "nonsense", "host")), ("--keep", ("1", "0", "x")),
    ("--up-to", "time"), ("--format", ("text", "json", "list", "xml")), ("--destination", "place"),
    ("--depth", ("names", "records")), ("--target-immediate", None), ("--target-time", "time"),
)  # fmt: skip
_WATCH: Final = (
    ("--pgdata", "place"), ("--log", "place"), ("--archive", "place"), ("--once", None),
    ("--once", None), ("--format", ("text", "json", "tui", "xml")), ("--timeout", ("1ms", "5")),
    ("--dsn", ("host=/nowhere", "nonsense")), ("--log-line-prefix", ("%m [%p] ", "%", "odd")),
    ("--log-timezone", ("Europe/Madrid", "Mars")), ("--localedir", "place"), ("--version", None),
)  # fmt: skip
_AGENT: Final = (
    ("--config", "place"), ("--hold", "duration"), ("--runbooks-url", "odd"),
    ("--archive", "place"), ("--cluster", ("a", "b")), ("--prefetch", ("0", "x")),
    ("--log.level", ("info", "loud")),
    ("--version", None), ("--help", None),
)  # fmt: skip
_SUBCOMMANDS: Final = ("find", "retention", "plan", "windows", "explain", "fnid", "help")
_GRAMMAR: Final = (
    ("pitr-check", _SOURCES + _TARGETS, ()),
    ("pitr-check", _SOURCES + _TARGETS, ("find", "", "Plan")),
    ("pitr-check", _SOURCES + _QUESTIONS, _SUBCOMMANDS),
    ("pitr-watch", _WATCH, ()),
    ("pitr-agent", _AGENT, ("check-config", "rules", "completion", "fetch-wal", "rn")),
)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What people name: the right thing, another thing, and nothing."""
    home = tmp_path_factory.mktemp("typed")
    (home / "empty").mkdir()
    (home / "texts").mkdir()
    (home / "texts" / "README").write_text("no WAL here")
    (home / "zeros").mkdir()
    (home / "zeros" / "000000010000000000000001").write_bytes(bytes(1 << 20))
    (home / "label").mkdir()
    (home / "label" / "backup_label").write_text("START WAL LOCATION: nonsense\n")
    (home / "file").write_bytes(bytes(range(256)))
    os.mkfifo(home / "pipe")
    (home / "a.yaml").write_text(f"clusters: [{{name: a, archives: [{{url: {home}/zeros}}]}}]\n")
    (home / "b.yaml").write_text("clusters: [{name: a, archves: []}]\n")
    (home / "c.yaml").write_text("- [\n")
    named = ["", "/nowhere", str(_LOG), str(_DATA), str(_DATA / "wal"), "s3://", "user@host:/x"]
    return [*named, *(str(path) for path in sorted(home.iterdir()))]


def test_the_lines_are_of_all_programs_and_both_kinds(places: list[str]) -> None:
    lines = [line for part in range(_PARTS) for line in _lines(part, places)]
    assert len(lines) == LINES
    assert {line[0] for line in lines} == PROGRAMS.keys() - {"pitr-lab"}


@pytest.mark.parametrize(
    "part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, _PARTS))]
)
def test_whatever_is_typed_is_answered(part: int, places: list[str], tmp_path: Path) -> None:
    seen = set()
    for line in _lines(part, places):
        ended = forked.run(line[0], *line[1:], directory=tmp_path)
        typed = shlex.join(line)
        fetches = line[:2] == ["pitr-agent", "fetch-wal"]
        assert ended.returncode in (_OF_FETCH_WAL if fetches else _STATUSES), (typed, ended)
        assert len(ended.stderr.splitlines()) <= 3, (typed, ended.stderr)
        for said in (ended.stdout, ended.stderr):
            assert "Traceback" not in said and "this is a bug" not in said, (typed, said)
        if ended.returncode == 64:
            assert ended.stderr and not ended.stdout, (typed, ended)
        seen.add(ended.returncode)
    assert {0, 64} <= seen, "well-formed lines and others"


def _lines(part: int, places: list[str]) -> list[list[str]]:
    typist = Typist(part, places)
    return [typist.line() for _ in range(LINES // _PARTS)]
