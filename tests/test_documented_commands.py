"""Every command line of ours in the documentation has only options that the program knows."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.fix_tools import PATIENCE_SECONDS
from tests.guides import DIRECTORY, read_fences
from tests.test_links import pages

_COMMAND = re.compile(r"\b(pitr-(?:check|watch|agent|lab))((?: +[^ |;&<>`]+)*)")
_OPTION = re.compile(r"--[a-z][a-z.-]*")
_SHELLS = ("", "sh", "bash", "console")


def command_lines(page: Path) -> Iterator[tuple[str, list[str]]]:
    """(program, what follows) of each command line in the page's blocks."""
    for fence in read_fences(page):
        if fence.language in _SHELLS:
            text = "\n".join(fence.lines).replace("\\\n", " ")
            for line in text.splitlines():
                for found in _COMMAND.finditer(line.partition(" #")[0]):
                    yield found[1], found[2].split()


def unknown_options(program: str, words: list[str]) -> list[str]:
    subcommand = words[0] if words and re.fullmatch("[a-z-]+", words[0]) else ""
    if subcommand.startswith("-"):
        subcommand = ""
    options = [match[0] for word in words if (match := _OPTION.match(word))]
    known = help_of(program, subcommand) if options else frozenset()
    return [f"{program} {subcommand} {option}" for option in options if option not in known]


@functools.cache
def help_of(program: str, subcommand: str) -> frozenset[str]:
    command = [Path(sys.executable).with_name(program), *filter(None, [subcommand]), "--help"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    return frozenset(_OPTION.findall(result.stdout))


def test_every_option_is_known() -> None:
    found = [(page, *line) for page in pages() for line in command_lines(page)]
    assert len(found) > 50
    unknown = {f"{page.name}: {bad}" for page, *line in found for bad in unknown_options(*line)}
    assert unknown == set()


def test_an_unknown_option_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh\npitr-check find --archive a \\\n  --nowhere | cat # --no\n```\n")
    assert [bad for line in command_lines(page) for bad in unknown_options(*line)] == [
        "pitr-check find --nowhere"
    ]


def test_what_is_shown_as_a_script_is_one() -> None:
    for guide in DIRECTORY.rglob("*.md"):
        for fence in read_fences(guide):
            if fence.language in ("sh", "bash"):
                script = "\n".join(fence.lines)
                result = subprocess.run(
                    ["bash", "-n"], input=script, capture_output=True, text=True
                )
                assert result.returncode == 0, f"{guide.name}:{fence.line}: {result.stderr}"
