"""What a shell command of the configuration is known to do: archive_command, restore_command.

A command is taken apart as sh does it, with shlex; what it does with files follows only where every
part is one of the table's programs. What is not recognised is not judged: it is called neither good
nor bad. Nothing is expanded or run. Follows the manual's chapter on WAL archiving for what a
command must do, and shell_archive.c and xlogarchive.c for what its exit status means.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from parsers.sentences import tr
from parsers.values import dataclass


class Program(NamedTuple):
    """What is known of a program that commands are made of."""

    does: str  # copy, move, pack, unpack, print, test, tool
    atomic: bool = False  # writes under another name first, and renames
    refuses: frozenset[str] = frozenset()  # options with which it never overwrites
    aborts: bool = False  # can exit above 125 for an ordinary failure
    tolerant: bool = False  # as a pipe's end it succeeds on an empty input


# One row a program. Those that manage a repository of their own are judged by nothing here.
PROGRAMS: Final = {
    "cp": Program("copy", refuses=frozenset({"-n", "--no-clobber"})),
    "install": Program("copy"),
    "mv": Program("move", refuses=frozenset({"-n", "--no-clobber"})),
    "rsync": Program("copy", atomic=True, refuses=frozenset({"--ignore-existing"})),
    "scp": Program("copy", aborts=True),
    "ssh": Program("remote", aborts=True),
    "dd": Program("copy", tolerant=True),
    "cat": Program("print", tolerant=True),
    "tee": Program("print", tolerant=True),
    "gzip": Program("pack"),
    "pigz": Program("pack"),
    "bzip2": Program("pack"),
    "xz": Program("pack"),
    "zstd": Program("pack"),
    "lz4": Program("pack"),
    "gunzip": Program("unpack"),
    "zcat": Program("unpack"),
    "bunzip2": Program("unpack"),
    "bzcat": Program("unpack"),
    "unxz": Program("unpack"),
    "xzcat": Program("unpack"),
    "unzstd": Program("unpack"),
    "zstdcat": Program("unpack"),
    "unlz4": Program("unpack"),
    "lz4cat": Program("unpack"),
    "test": Program("test"),
    "[": Program("test"),
    "true": Program("succeed"),
    ":": Program("succeed"),
    "echo": Program("succeed"),
    "printf": Program("succeed"),
    "logger": Program("succeed"),
    "false": Program("fail"),
    "exit": Program("exit"),
    "mkdir": Program("prepare"),
    "sync": Program("prepare"),
    "pgbackrest": Program("tool"),
    "barman-wal-archive": Program("tool"),
    "barman-wal-restore": Program("tool"),
    "barman-cloud-wal-archive": Program("tool"),
    "barman-cloud-wal-restore": Program("tool"),
    "wal-g": Program("tool"),
    "pitr-agent": Program("tool"),
    "aws": Program("tool"),
    "gsutil": Program("tool"),
}
_PRINTERS: Final = {"zcat", "bzcat", "xzcat", "zstdcat", "lz4cat"}  # to standard output always
_COMPOUND: Final = frozenset(
    {"if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac",
     "{", "}", "!", "set", "function", "trap"}
)  # fmt: skip
_SEPARATORS: Final = frozenset({";", "&&", "||", "&", "|"})
_PACKED: Final = re.compile(r"\.(gz|bz2|xz|zst|lz4|br|lzo)\Z")
_ABORTING: Final = 125  # the archiver and the startup process take more for an order to stop


class Step(NamedTuple):
    """One simple command, and where its output goes."""

    words: tuple[str, ...]
    reads: str | None  # < file
    writes: str | None  # > file

    @property
    def name(self) -> str:
        return self.words[0].rpartition("/")[2]

    @property
    def program(self) -> Program | None:
        return PROGRAMS.get(self.name)

    @property
    def options(self) -> list[str]:
        return [word for word in self.words[1:] if word.startswith("-") and word != "-"]

    @property
    def operands(self) -> list[str]:
        return [word for word in self.words[1:] if not word.startswith("-")]

    def mentions(self, *letters: str) -> bool:
        everything = (*self.words, self.reads or "", self.writes or "")
        return any(letter in word for word in everything for letter in letters)


class Part(NamedTuple):
    """One pipeline of a list, and what joins it to the one before: ;, &&, ||, &."""

    joined: str
    steps: tuple[Step, ...]

    @property
    def last(self) -> Step:
        return self.steps[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What is known to be wrong with a command: the words that show it; None: nothing is known."""

    swallows: str | None = None  # a failure ends in status 0
    aborts: str | None = None  # a failure may end in a status above 125
    overwrites: str | None = None  # a file that is there already
    not_atomic: str | None = None  # a crash leaves half a file under the final name
    wrong_content: str | None = None  # what it puts at %p is no segment
    places: tuple[str, ...] = ()  # directories that %f lies in


def judge_archive_command(text: str) -> Traits:
    """What is known of an archive_command.

    >>> judge_archive_command("cp %p /wal/%f").overwrites
    'cp to /wal/%f'
    >>> judge_archive_command("test ! -f /wal/%f && cp %p /wal/%f").overwrites
    """
    parts = _read_list(text)
    if not parts:
        return Traits()
    writer = _writer(parts) if _is_known(parts) else None
    return Traits(
        swallows=_find_swallowing(parts),
        aborts=_find_aborting(parts),
        overwrites=_find_overwriting(parts, writer) if writer else None,
        not_atomic=_find_tearing(parts, writer) if writer else None,
        places=tuple(_places(parts)),
    )


def judge_restore_command(text: str) -> Traits:
    """What is known of a restore_command.

    >>> judge_restore_command("cp /wal/%f %p || true").swallows
    '|| true'
    """
    parts = _read_list(text)
    if not parts:
        return Traits()
    return Traits(
        swallows=_find_swallowing(parts) or _find_tolerance(parts),
        aborts=_find_aborting(parts),
        wrong_content=next(_find_wrong_content(parts), None) if _is_known(parts) else None,
        places=tuple(_places(parts)),
    )


# -- reading -------------------------------------------------------------------------------------


def _read_list(text: str) -> list[Part]:
    """Take a command apart; nothing for one with parts that are not known here."""
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        lexer.commenters = ""
        tokens = list(lexer)
    except ValueError:  # a quote that does not end
        return []
    if "`" in text or "$" in text or any(set(token) & set("()") for token in tokens):
        return []
    parts = list(_split(tokens))
    steps = [step for part in parts for step in part.steps]
    return [] if any(step.name in _COMPOUND for step in steps) else parts


def _is_known(parts: Sequence[Part]) -> bool:
    """Whether every program of a command is in the table."""
    return all(step.program is not None for part in parts for step in part.steps)


def _split(tokens: Sequence[str]) -> Iterator[Part]:
    joined, steps, words = ";", [], []  # type: str, list[Step], list[str]
    for token in [*tokens, ";"]:
        if token not in _SEPARATORS:
            words.append(token)
            continue
        if words:
            steps.append(_step(words))
        if token != "|" and steps:
            yield Part("&" if token == "&" else joined, tuple(steps))
            joined, steps = token, []
        words = []


def _step(words: Sequence[str]) -> Step:
    """One simple command without its redirections, wrappers and assignments."""
    kept: list[str] = []
    reads = writes = None
    rest = iter(words)
    for word in rest:
        if set(word) & set("<>") and set(word) <= set("<>&|"):
            descriptor = kept.pop() if kept and kept[-1].isdigit() else ""
            file = next(rest, "")
            if word == "<":
                reads = file
            elif word in (">", ">>", ">|") and descriptor in ("", "1"):
                writes = file
        else:
            kept.append(word)
    while kept and (re.match(r"\w+=", kept[0]) or kept[0] in ("nice", "ionice", "timeout")):
        kept = kept[1:]
        while len(kept) > 1 and (
            kept[0].startswith("-") or re.fullmatch(r"[\d.]+[smhd]?", kept[0])
        ):
            kept = kept[1:]
    return Step(tuple(kept) or ("",), reads, writes)


# -- judging -------------------------------------------------------------------------------------


def _find_swallowing(parts: Sequence[Part]) -> str | None:
    """The part by which a failure of the work is lost."""
    for part, following in pairwise(parts):
        tested = following.last.program and following.last.program.does == "test"
        if following.joined in (";", "&") and _works(part) and not tested:
            return f"; {shlex.join(following.last.words)}"
    if parts[-1].joined == "&":
        return "&"
    last = parts[-1]
    if last.joined == "||" and _succeeds(last.last) and any(map(_works, parts[:-1])):
        return f"|| {shlex.join(last.last.words)}"
    return None


def _works(part: Part) -> bool:
    return any(step.mentions("%p", "%f") for step in part.steps)


def _succeeds(step: Step) -> bool:
    if step.name == "exit":
        return step.operands[:1] == ["0"]
    return step.program is not None and step.program.does == "succeed"


def _find_aborting(parts: Sequence[Part]) -> str | None:
    """A command whose status above 125 becomes the whole's."""
    sources: list[Step] = []
    for part in parts:
        if part.joined != "&&":
            sources = []
        sources.append(part.last)
    return next((shlex.join(step.words[:2]) for step in sources if _aborts(step)), None)


def _aborts(step: Step) -> bool:
    if step.name == "exit":
        status = step.operands[0] if step.operands else ""
        return status.isdigit() and int(status) > _ABORTING
    if step.name == "rsync":
        return any(":" in word for word in step.operands)
    return step.program is not None and step.program.aborts


class _Writer(NamedTuple):
    """The step that writes the archived file, and where to."""

    step: Step
    target: str


def _writer(parts: Sequence[Part]) -> _Writer | None:
    """The first step that puts %p somewhere."""
    for part in parts:
        target = part.last.writes
        if target and "%f" in target:
            return _Writer(part.last, target)
        step = part.last
        if step.program and step.program.does in ("copy", "move") and "%p" in step.operands:
            return _Writer(step, step.operands[-1])
        named = [word[3:] for word in step.operands if word.startswith("of=")]
        if step.name == "dd" and named:
            return _Writer(step, named[-1])
    return None


def _find_overwriting(parts: Sequence[Part], writer: _Writer) -> str | None:
    step, final = writer.step, _final_name(parts, writer)
    refuses = step.program.refuses if step.program else frozenset()
    if _options_of(parts, writer) & (refuses | {"-n", "--no-clobber"}):
        return None
    if any(_guards(part, final) for part in parts):
        return None
    return tr("{command} to {target}", command=step.name, target=final)


def _options_of(parts: Sequence[Part], writer: _Writer) -> set[str]:
    """The options of the step that gives the file its final name; -an is -a -n."""
    step = _renamer(parts, writer) or writer.step
    short = [word[1:] for word in step.options if not word.startswith("--")]
    return {*step.options, *(f"-{letter}" for word in short for letter in word)}


def _guards(part: Part, final: str) -> bool:
    """Whether a part asks first if the file is there: test ! -f FILE, ! test -f FILE."""
    step = part.last
    return step.name in ("test", "[") and "!" in step.words and final in step.words


def _find_tearing(parts: Sequence[Part], writer: _Writer) -> str | None:
    program = writer.step.program
    if _renamer(parts, writer) or (program and (program.atomic or program.does == "move")):
        return None
    return tr("{command} writes {target} in place", command=writer.step.name, target=writer.target)


def _renamer(parts: Sequence[Part], writer: _Writer) -> Step | None:
    """The mv that gives the written file its final name."""
    for part in parts:
        step = part.last
        if step.name == "mv" and step is not writer.step and writer.target in step.operands[:-1]:
            return step
    return None


def _final_name(parts: Sequence[Part], writer: _Writer) -> str:
    step = _renamer(parts, writer)
    return step.operands[-1] if step else writer.target


def _find_tolerance(parts: Sequence[Part]) -> str | None:
    """A pipe whose end succeeds when its beginning found nothing."""
    for part in parts:
        first, last = part.steps[0], part.last
        if first is not last and first.mentions("%f") and last.program and last.program.tolerant:
            return f"| {last.name}"
    return None


def _find_wrong_content(parts: Sequence[Part]) -> Iterator[str]:
    """What comes to %p packed, or does not come to %p at all."""
    for step in (part.last for part in parts):
        if step.program is None:
            continue
        does, sources = step.program.does, [*step.operands, step.reads or ""]
        packed = next((word for word in sources if "%f" in word and _PACKED.search(word)), None)
        to_p = step.writes == "%p" or step.operands[-1:] == ["%p"]
        if does in ("copy", "print") and packed and to_p and len(parts[-1].steps) == 1:
            yield tr("{command} {file} leaves it compressed", command=step.name, file=packed)
        elif does == "pack" and not _unpacks(step) and step.mentions("%p"):
            yield tr("{command} without -d compresses", command=step.name)
        elif does in ("pack", "unpack") and packed and not _prints(step) and step.reads is None:
            yield tr(
                "{command} {file} without -c unpacks inside the archive",
                command=step.name,
                file=packed,
            )


def _unpacks(step: Step) -> bool:
    return any(re.match(r"-\w*d|--(decompress|uncompress)\b", word) for word in step.options)


def _prints(step: Step) -> bool:
    has = any(re.match(r"-\w*[co]|--(stdout|to-stdout)\b", word) for word in step.options)
    return has or step.name in _PRINTERS


def _places(parts: Sequence[Part]) -> Iterator[str]:
    """The directories that hold files named after %f."""
    seen: set[str] = set()
    for step in (step for part in parts for step in part.steps):
        for word in (*step.words[1:], step.reads or "", step.writes or ""):
            directory, slash, name = re.sub(r"\A[io]f=", "", word).rpartition("/")
            if slash and name.startswith("%f") and directory not in seen:
                seen.add(directory)
                yield directory
