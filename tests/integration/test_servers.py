"""The servers that the tests of WAL need: every supported major."""

import pytest

from agent.postgres.installation import Installation
from tests.fix_postgres import SUPPORTED


@pytest.mark.pg(">= 13", npm=True, each=True)
def test_a_server_of_every_supported_major_is_here(pg: Installation) -> None:
    assert pg.major in SUPPORTED
