"""The guides are true: a reader who follows them gets what they show."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.fix_guides import Reader
from tests.fix_tools import need_program
from tests.guides import (
    ANY_LINES,
    DIRECTORY,
    agrees,
    copy_fences,
    language_of,
    read_fences,
    read_steps,
    show_again,
    typed,
)

README = DIRECTORY.parent.parent / "README.md"
TRANSLATIONS = sorted([*DIRECTORY.glob("*/*.md"), *README.parent.glob("README.*.md")])
OTHER_LANGUAGE = re.compile(r"\*\[[\w ]+\]\((\S+)\)\*")  # the third line of a page that has another
TOOLS = ("promtool", "amtool", "curl")
# What is said beside it where a backup has no postgresql.conf: the block to paste undoes all that
# a configuration might have set, and says in a comment what is absent.
OF_DEBIAN = re.compile(
    r" *(# |recovery_min_apply_delay|archive_cleanup_command|recovery_end_command"
    r"|primary_conninfo|primary_slot_name|hot_standby|recovery_target\w* = '')"
)
GUIDES = [
    page for page in (*sorted([README, *DIRECTORY.glob("*.md")]), *TRANSLATIONS) if read_steps(page)
]

ON_DEBIAN = [
    DIRECTORY / f"{name}.md" for name in ("restore", "backup-script", "nagios", "prometheus")
]
PLACES = [(guide, "ours") for guide in GUIDES] + [(guide, "debian") for guide in ON_DEBIAN]
CASES = [
    pytest.param(
        page, layout,
        id=f"{language_of(page) or 'en'}-{page.stem}{'-on-debian' * (layout == 'debian')}",
        marks=pytest.mark.campaign if language_of(page) else (),
    )
    for page, layout in PLACES
]  # fmt: skip


@pytest.mark.parametrize(
    ("guide", "reader"),
    CASES,
    indirect=["reader"],
)
def test_a_reader_gets_what_the_guide_shows(guide: Path, reader: Reader) -> None:
    steps = read_steps(guide, on_debian=reader.on_debian)
    for tool in TOOLS:
        if any(tool in step.command.split() for step in steps):
            need_program(tool)
    printed = reader.follow(steps, language_of(guide))
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


def in_other_language(page: Path) -> Path:
    """The page that this one names below its title: its original, or its translation."""
    below_the_title = page.read_text(encoding="utf-8").splitlines()[2]
    link = OTHER_LANGUAGE.fullmatch(below_the_title)
    assert link, f"{page}:3: no link to the page in the other language: {below_the_title}"
    return Path(os.path.normpath(page.parent / link[1]))


@pytest.mark.parametrize("translation", TRANSLATIONS, ids=lambda path: path.stem)
def test_a_translation_says_the_same_to_type(translation: Path) -> None:
    guide = in_other_language(translation)
    if os.environ.get("UPDATE_GUIDES"):
        copy_fences(guide, translation)
    theirs = [(fence.info, typed(fence)) for fence in read_fences(guide)]
    assert [(fence.info, typed(fence)) for fence in read_fences(translation)] == theirs


@pytest.mark.parametrize("translation", TRANSLATIONS, ids=lambda path: path.stem)
def test_a_translation_leaves_out_what_its_original_leaves_out(translation: Path) -> None:
    """What is left out may come or not: it hangs on which of two was faster."""
    left_out = [
        [sum(line.strip() == ANY_LINES for line in fence.lines) for fence in read_fences(page)]
        for page in (in_other_language(translation), translation)
    ]
    assert left_out[0] == left_out[1]


def test_each_guide_and_its_translation_lead_to_each_other() -> None:
    originals = {README, *DIRECTORY.glob("*.md")}
    assert {in_other_language(page): page for page in TRANSLATIONS} == {
        page: in_other_language(page) for page in originals
    }
