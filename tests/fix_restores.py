"""One story a major version: made when the first test asks, kept for the session."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.postgres.account import Account
from agent.postgres.installation import Installation
from tests.fix_place import new_place
from tests.integration.restores import Story, tell_story


@pytest.fixture(scope="session")
def restore_stories(
    account: Account, installations: dict[int, Installation]
) -> Iterator[Callable[[Installation], Story]]:
    homes: list[Path] = []
    newest = max(
        (each for each in installations.values() if each.has("pg_basebackup")),
        key=lambda each: each.major,
    )
    program = newest.program("pg_basebackup")  # it takes backups of every older server
    told: dict[int, Story] = {}

    def story_of(installation: Installation) -> Story:
        if installation.major not in told:
            home = new_place("pr-")
            homes.append(home)
            told[installation.major] = tell_story(installation, home, account, program)
        return told[installation.major]

    yield story_of
    for home in homes:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def restore_story(pg: Installation, restore_stories: Callable[[Installation], Story]) -> Story:
    return restore_stories(pg)
