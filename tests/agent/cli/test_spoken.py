"""What commands say is said in the language asked for: shown by one in which all has accents."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from agent import language
from agent.cli import agent, check, completion, fetch_wal, lab, watch
from agent.lab.faults import FAULTS
from translations import catalogues

PROGRAMS: Final = {
    "pitr-agent": agent.main,
    "pitr-check": check.main,
    "pitr-watch": watch.main,
    "pitr-lab": lab.main,
}
_OF_THE_AGENT: Final = (
    "run", "check-config", "rules", "docs", "completion", "new-evidence-key", "drill-unit",
)  # fmt: skip
COMMANDS: Final = [
    *PROGRAMS,
    *(f"pitr-check {name}" for name in completion.PROGRAMS["pitr-check"][1]),
    *(f"pitr-agent {name}" for name in _OF_THE_AGENT),
]
# Not ours to say: names, values of options, examples to type.
_NAMES: Final = re.compile(r"\[?-{1,2}[a-z][^ ]*|\{[^}]*\}|[A-Z][A-Z|&:=]+|[\w-]+\|[\w|-]+")


@pytest.fixture(autouse=True)
def _of_everything(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The pseudo language, compiled once, and no other."""
    place = tmp_path_factory.getbasetemp() / "pseudo"
    if not place.exists():
        catalogues._compiled(catalogues.pseudo_catalogue(), catalogues.PSEUDO, place)
    monkeypatch.setattr(language, "_places", lambda: [place / catalogues.PACKAGE])
    _forget()
    yield
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    language.speak(None)
    for cached in (language.languages, language._load, language._catalogue):
        cached.cache_clear()


Typed = Callable[[str], tuple[str, str]]


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Typed:
    """What a line printed, to stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(line: str) -> tuple[str, str]:
        program, *words = line.split()
        with contextlib.suppress(SystemExit):  # of --help
            PROGRAMS[program](words)
        return capsys.readouterr()

    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_all_of_a_help_is_said(command: str, typed: Typed) -> None:
    first, *others = command.split()
    for how in ("--help", "--help-all"):
        english, _ = typed(f"{command} {how}")
        said, _ = typed(f"{command} --lang xx {how}")
        assert typed(" ".join([first, "--lang=xx", *others, how]))[0] == said
        assert typed(" ".join([first, "--lang", "xx", *others, how]))[0] == said
        plain = set(_sentences(english)) & set(_sentences(said))
        assert not plain, plain
        assert len(said.splitlines()) == len(english.splitlines())


def _sentences(text: str) -> Iterator[str]:
    """The lines that hold words of ours: no usage, no command to type, no option by itself."""
    body = text.partition("\n\n")[2]
    for line in body.splitlines():
        if line.split()[:1] and line.split()[0] in FAULTS:  # a table of the laboratory's
            continue
        words = _NAMES.sub("", line)
        if re.search(r"[aeiou]\w* +\w*[aeiou]", words) and not line.startswith("  pitr-"):
            yield line.strip()


@pytest.mark.parametrize(
    ("line", "phrase"),
    [
        ("pitr-check --timeout", "expected one argument"),
        ("pitr-check --timeout 5", "has no unit: write"),
        ("pitr-check --timeout 0s", "nothing is done in no time"),
        ("pitr-check --depth foo", "invalid choice"),
        ("pitr-check --depth record", "did you mean"),
        ("pitr-check --drill=3", "ignored explicit argument"),
        ("pitr-check --target-time 1 --target-xid 3", "not allowed with argument"),
        ("pitr-check --workers many", "is not a whole number"),
        ("pitr-check --archve /x", "unrecognized arguments"),
        ("pitr-check --archive /x unheard", "unrecognized arguments"),
        ("pitr-check --backup /x plan", "a subcommand comes first"),
        ("pitr-check fleet", "the following arguments are required"),
        ("pitr-check fleet pitr.yaml", "name its option before it"),
        ("pitr-check fnid", "there is no subcommand"),
        ("pitr-check /x/y", "name an option before the path"),
        ("pitr-check", "nothing to check"),
        ("pitr-check --cluster a", "needs"),
        ("pitr-check --archive /x --color always --format json", "is for --format text"),
        ("pitr-check --server-version x", "is not a minor release"),
        ("pitr-check verify-evidence /x --key k --expect x", "write 64 hexadecimal digits"),
        ("pitr-check verify-evidence /x --key k --workers 0", "at least 1 is needed"),
        ("pitr-check explain no_such", "there is no finding or alert"),
        ("pitr-check clean-drills /no/such", "there is no such directory"),
        ("pitr-check find --archive /x --limit 0", "at least 1 is needed"),
        ("pitr-check retention --archive /x", "without backups nothing is needed"),
        ("pitr-check windows --archive /x", "begins at a backup"),
        ("pitr-check report --evidence /x --key k --from 2 --to 3", "write ISO 8601"),
        ("pitr-check --archive zz://x", "is not read: name a path"),
        ("pitr-agent", "the following arguments are required"),
        ("pitr-agent rn", "did you mean"),
        ("pitr-agent rules --stale-after 1h", "an agent says itself when it is late"),
        ("pitr-watch", "nothing to watch"),
        ("pitr-watch --timeout 0s", "must be greater than zero"),
        ("pitr-lab --fault gap", "breaks what"),
    ],
)
def test_what_was_typed_wrong_is_said(line: str, phrase: str, typed: Typed) -> None:
    _, english = typed(line)
    assert phrase in english
    _, said = typed(line.replace(" ", " --lang xx ", 1) if " " in line else f"{line} --lang xx")
    accented = catalogues._accented(phrase)
    assert re.sub(r"--\w+", "", accented.split("--")[0]) in said
    assert phrase not in said
    if "(type " in english:
        assert catalogues._accented("(type  ") in said


def test_what_was_typed_is_no_word_of_ours(typed: Typed) -> None:
    """A word out of argparse's own sentences, typed by somebody, stays as it was typed."""
    for word in ("options", "expected one argument", "{names}"):
        _, said = typed(f"pitr-check --lang xx --format {word.replace(' ', '_')}")
        assert repr(word.replace(" ", "_")) in said
    assert " options " in typed("pitr-check --lang xx --archive /x options")[1]


def test_pages_of_findings(typed: Typed) -> None:
    said, _ = typed("pitr-check explain wal_gap --lang xx")
    assert said.startswith("wal_gap (çrítíçál)")
    assert max(map(len, said.splitlines())) <= 100
    listed, _ = typed("pitr-check explain --lang xx")
    plain, _ = typed("pitr-check explain")
    assert [line.split()[0] for line in listed.splitlines()] == [
        line.split()[0] for line in plain.splitlines()
    ]


def test_fetch_wal_speaks_in_its_help_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """What it says of a file is a line in the server's log."""
    assert fetch_wal.main(["--lang", "xx", "--help"]) == 0
    assert capsys.readouterr().out.startswith("úságé: pítr-ágéñt")
    assert fetch_wal.main(["--lang", "xx", "000000010000000000000001"]) == fetch_wal.ABORT
    assert "expected %f and %p, found 1 words" in capsys.readouterr().err
    assert fetch_wal.main(["--lang", "fr", "--help"]) == fetch_wal.ABORT
    assert "--lang 'fr': choose one of en, xx" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--lang", "en", "fetch-wal"], ["fetch-wal", "--lang=en"]])
def test_fetch_wal_by_its_own_way(words: list[str]) -> None:
    program = Path(sys.executable).with_name("pitr-agent")
    ended = subprocess.run([program, *words, "--help"], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("usage: pitr-agent fetch-wal")


@pytest.mark.parametrize("program", PROGRAMS)
def test_completion_knows_the_languages(program: str, typed: Typed) -> None:
    script, _ = typed(f"pitr-agent completion zsh {program}")
    offered = re.findall(r'"--lang\[.*\]:L:(.*)"', script)
    assert offered
    assert set(offered) == {"(en xx)"}
    assert "ápply" not in script
    assert "--lang[thé láñgúágé" not in script
    assert "--lang[thé láñgúágé" in typed(f"pitr-agent completion zsh {program} --lang xx")[0]
