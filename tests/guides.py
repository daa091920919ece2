"""Guides as tests: what docs/guides/*.md tells a reader to type is typed, and its output compared.

How a guide is written:

    ```console            commands after "$ ", what they print below; "\\" at a line's end goes on
    ```yaml file=NAME     the reader saves this as NAME, and so does the test
    ```sh                 shown only: what needs root, systemd or another machine
    ```console debian     typed where the server is a cluster of Debian's or Ubuntu's packages alone

A guide begins with `$ export ARCHIVE=/backup/wal …`: the reader's own places. The test has others
for the same variables: it types and saves those instead, and puts the guide's names into whatever
is printed. "…" alone on a line stands for any lines.
Instants, positions, transaction numbers, decimals, numbers of three digits and more, and how much
WAL a transaction wrote, are compared by their kind only: `normalised` is the whole of it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from markdown_it import MarkdownIt

from tests.fix_tools import PATIENCE_SECONDS

DIRECTORY: Final = Path(__file__).parent.parent / "docs" / "guides"
_HOME: Final = "/var/lib/postgresql"  # where the reader is at home
ANY_LINES: Final = "…"
_MARK: Final = "\x1e"  # between what two commands print
_SECONDS: Final = PATIENCE_SECONDS

# What no two runs have in common. In this order: an instant holds what the later ones match.
_KINDS: Final = (
    (r"\b[0-9A-F]{24}\b", None),  # WAL file names are the same in every run
    # Across the second's end.
    (r"read between \S+ \S+ and \S+ \S+ UTC", "read at <time>"),
    (r"se leyó entre el \S+ \S+ y el \S+ \S+ UTC", "se leyó el <time>"),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?( ?UTC|[+-]\d\d(:\d\d)?|Z)?", "<time>"),
    (r"\b\d{4}-\d\d-\d\d\b", "<date>"),
    (r"\b\d\d:\d\d:\d\d(\.\d+)? UTC", "<time>"),
    (r"\b[0-9A-F]{1,8}/[0-9A-F]{1,8}\b", "<lsn>"),
    (r"\b(?<=commit of )\d+|(?<=transaction )\d+|(?<=transaction: )\d+", "<xid>"),
    (r"(?<=commit de )\d+|(?<=transacción )\d+|(?<=transacción completada: )\d+", "<xid>"),
    # Of one statement it differs: page images, what is pruned on the way, by when others ran.
    (r"\b\d+ (records?|registros?), \d+([.,]\d+)? (B|bytes|KiB|MiB)", "<written>"),
    (r"\b\d+[.,]\d+(e[+-]?\d+)?\b", "<n>"),
    (r"\b\d{3,}\b", "<n>"),
)
_KIND: Final = re.compile("|".join(f"(?P<k{n}>{pattern})" for n, (pattern, _) in enumerate(_KINDS)))


@dataclass(frozen=True, kw_only=True)
class Fence:
    """One fenced block: its info string's words, its lines, and where its first line stands."""

    info: list[str]
    lines: list[str]
    line: int

    @property
    def language(self) -> str:
        return self.info[0] if self.info else ""

    @property
    def saved_as(self) -> str | None:
        names = [word[5:] for word in self.info if word.startswith("file=")]
        return names[0] if names else None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command of a guide. `shown` is what the guide says that it prints, from `line` on."""

    command: str
    shown: list[str]
    line: int


def read_fences(path: Path) -> list[Fence]:
    tokens = MarkdownIt().parse(path.read_text(encoding="utf-8"))
    return [
        Fence(
            info=token.info.split(),
            lines=token.content.splitlines(),
            line=(token.map or [0])[0] + 2,
        )
        for token in tokens
        if token.type == "fence"
    ]


def read_steps(path: Path, *, on_debian: bool = False) -> list[Step]:
    """What a reader does with the guide, in order: the files to save are commands as well."""
    steps: list[Step] = []
    for fence in read_fences(path):
        if "debian" in fence.info and not on_debian:
            continue
        if fence.saved_as:
            steps.append(Step(command=_saving(fence), shown=[], line=fence.line))
        elif fence.language == "console":
            steps += _typed(fence)
    return steps


def typed(fence: Fence) -> list[str]:
    """What a reader types of it, whatever sed looks for; all of a block that nobody types."""
    if fence.language != "console":
        return fence.lines
    return [_LOOKED_FOR.sub("sed", step.command) for step in _typed(fence)]


_LOOKED_FOR: Final = re.compile(r"sed( -n)? '[^']*'")


def language_of(page: Path) -> str:
    """The language of a guide or README: "" is English."""
    if page.parent.parent == DIRECTORY:
        return page.parent.name
    return page.stem.partition(".")[2]


def _saving(fence: Fence) -> str:
    text = "\n".join(fence.lines)
    return f"cat > {fence.saved_as} <<'END OF FILE'\n{text}\nEND OF FILE"


def _typed(fence: Fence) -> Iterator[Step]:
    lines = iter(enumerate(fence.lines, fence.line))
    command: list[str] = []
    shown: list[str] = []
    begins = fence.line
    for number, line in lines:
        if not line.startswith("$ "):
            assert command, f"line {number}: output before the first command"
            shown.append(line)
            continue
        if command:
            yield Step(command="\n".join(command), shown=shown, line=begins)
        command, shown = [line[2:]], []
        while command[-1].endswith("\\"):
            number, line = next(lines)
            command.append(line)
        begins = number + 1
    yield Step(command="\n".join(command), shown=shown, line=begins)


def run_steps(
    steps: Sequence[Step],
    places: Mapping[str, str],
    environment: Mapping[str, str],
    *,
    prefix: Sequence[str] = (),
    **popen_options: Any,
) -> list[list[str]]:
    """Type all steps into one shell; give the lines that each printed, in the guide's names.

    `places` has the test's value of each variable that a guide may export.
    """
    renamed = {_HOME: environment["HOME"]}
    script = []
    for step in steps:
        renamed |= _exported(step.command, places)
        command = step.command
        for theirs in renamed.keys() - {_HOME}:
            command = command.replace(theirs, renamed[theirs])
        script.append(f"{command}\n__status=$?; printf '\\n{_MARK}'; (exit $__status)")
    process = subprocess.Popen(
        [*prefix, "bash", "-c", "\n".join(script)],
        env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, **popen_options,
    )  # fmt: skip
    try:
        printed = process.communicate(timeout=_SECONDS)[0]
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"still at it after {_SECONDS} s:\n{_text(error.stdout)}") from None
    finally:
        with contextlib.suppress(ProcessLookupError):  # what it left in the background
            os.killpg(process.pid, signal.SIGKILL)
    for theirs in sorted(renamed, key=lambda name: len(renamed[name]), reverse=True):
        printed = printed.replace(renamed[theirs], theirs)
    return [part.strip("\n").splitlines() for part in printed.split(_MARK)[:-1]]


def _text(output: str | bytes | None) -> str:
    """What a process had printed: bytes, if it was cut short."""
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""


def _exported(command: str, places: Mapping[str, str]) -> dict[str, str]:
    """What an `export` calls the places: the guide's name for each of the test's."""
    words = shlex.split(command) if command.startswith("export ") else []
    pairs = (word.partition("=") for word in words[1:])
    return {theirs: places[name] for name, _, theirs in pairs if name in places}


_DEBIANS: Final = re.compile(r"(?<=\d) \(Debian [^)]*\)")  # what its servers say of their version


def normalised(line: str) -> str:
    """A line without what differs from run to run, its columns one space apart."""

    def replace(match: re.Match[str]) -> str:
        kind = _KINDS[int(str(match.lastgroup)[1:])][1] if match.lastgroup else None
        return match[0] if kind is None else kind

    return " ".join(_KIND.sub(replace, _DEBIANS.sub("", line)).split())


def agrees(shown: Sequence[str], printed: Sequence[str]) -> bool:
    """Tell whether these lines were printed, as far as they can be the same."""
    wanted = [ANY_LINES if line.strip() == ANY_LINES else normalised(line) for line in shown]
    return _matches(wanted, [normalised(line) for line in printed])


def _matches(wanted: list[str], found: list[str]) -> bool:
    if not wanted:
        return not found
    if wanted[0] == ANY_LINES:
        return any(_matches(wanted[1:], found[start:]) for start in range(len(found) + 1))
    return bool(found) and wanted[0] == found[0] and _matches(wanted[1:], found[1:])


def show_again(path: Path, steps: Sequence[Step], printed: Sequence[list[str]]) -> None:
    """Write what was printed into the guide, where it differs from what stands there."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for step, said in reversed(list(zip(steps, printed, strict=True))):
        if not agrees(step.shown, said):
            lines[step.line - 1 : step.line - 1 + len(step.shown)] = said
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def copy_fences(original: Path, translation: Path) -> None:
    """Give a translation the original's blocks, in their order, but for what was printed there."""
    lines = translation.read_text(encoding="utf-8").splitlines()
    pairs = list(zip(read_fences(original), read_fences(translation), strict=True))
    for theirs, ours in reversed(pairs):
        if typed(ours) == typed(theirs):
            continue
        lines[ours.line - 1 : ours.line - 1 + len(ours.lines)] = theirs.lines
    translation.write_text("\n".join(lines) + "\n", encoding="utf-8")
