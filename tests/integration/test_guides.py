"""The guides are true: a reader who follows them gets what they show."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.fix_guides import Reader
from tests.fix_tools import need_program
from tests.guides import (
    DIRECTORY,
    agrees,
    copy_fences,
    read_fences,
    read_steps,
    show_again,
)

README = DIRECTORY.parent.parent / "README.md"
TRANSLATED = {
    README: README.with_name("README.es.md"),
    DIRECTORY / "first-verdict.md": DIRECTORY / "es" / "primer-veredicto.md",
    DIRECTORY / "laboratory.md": DIRECTORY / "es" / "laboratorio.md",
}
TOOLS = ("promtool", "amtool", "curl")
# What is said beside it where a backup has no postgresql.conf: the block to paste undoes all that
# a configuration might have set, and says in a comment what is absent.
OF_DEBIAN = re.compile(
    r" *(# |recovery_min_apply_delay|archive_cleanup_command|recovery_end_command"
    r"|primary_conninfo|primary_slot_name|hot_standby|recovery_target\w* = '')"
)
GUIDES = sorted(path for path in (README, *DIRECTORY.glob("*.md")) if read_steps(path))

ON_DEBIAN = [
    DIRECTORY / f"{name}.md" for name in ("restore", "backup-script", "nagios", "prometheus")
]
CASES = [(guide, "ours") for guide in GUIDES] + [(guide, "debian") for guide in ON_DEBIAN]


@pytest.mark.parametrize(
    ("guide", "reader"),
    CASES,
    ids=[f"{path.stem}{'-on-debian' * (layout == 'debian')}" for path, layout in CASES],
    indirect=["reader"],
)
def test_a_reader_gets_what_the_guide_shows(guide: Path, reader: Reader) -> None:
    steps = read_steps(guide, on_debian=reader.on_debian)
    for tool in TOOLS:
        if any(tool in step.command.split() for step in steps):
            need_program(tool)
    printed = reader.follow(steps)
    assert len(printed) == len(steps), f"it ended with\n{printed[-1:]}"
    if reader.on_debian:
        printed = [[line for line in said if not OF_DEBIAN.match(line)] for said in printed]
    elif os.environ.get("UPDATE_GUIDES"):
        show_again(guide, steps, printed)
    for step, said in zip(steps, printed, strict=True):
        assert agrees(step.shown, said), "\n".join(
            [
                f"{guide.name}:{step.line}: $ {step.command}",
                "it shows:",
                *step.shown,
                "",
                "it is:",
                *said,
            ]
        )


@pytest.mark.parametrize(("guide", "translation"), TRANSLATED.items(), ids=lambda path: path.stem)
def test_a_translation_has_the_same_blocks(guide: Path, translation: Path) -> None:
    if os.environ.get("UPDATE_GUIDES"):
        copy_fences(guide, translation)
    theirs = [(fence.info, fence.lines) for fence in read_fences(guide)]
    assert [(fence.info, fence.lines) for fence in read_fences(translation)] == theirs


def test_every_translation_is_compared() -> None:
    there = {*DIRECTORY.glob("*/*.md"), *README.parent.glob("README.*.md")}
    assert there == set(TRANSLATED.values())
