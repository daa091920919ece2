from datetime import UTC, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from parsers.errors import ParseError
from parsers.wal_facts import instant
from rules.goal import has_zone, read_goal, read_time
from rules.target import Target
from tests.fix_postgres import NewCluster

MADRID = ZoneInfo("Europe/Madrid")
TIMES = [
    "2025-07-08 08:00:00",
    "2025-07-08T08:00:00Z",
    "2025-07-08 08:00:00.123456+02",
    "2025-07-08 08:00:00.1234567-03:30",
    "2025-07-08 08:00+0530",
    "2025-07-08",
    "2025-07-08 24:00:00",
    "2025-12-31 23:59:60 UTC",
    "2025-10-26 02:30:00",  # comes twice in Madrid
    "2025-03-30 02:30:00",  # never comes there
    "2025-03-30 02:30:00 Europe/Madrid",
    "1999-12-31 23:59:59.9+00",
]


@pytest.mark.pg(">= 16")
def test_times_are_those_of_the_server(pg, new_cluster: NewCluster) -> None:
    cluster = new_cluster(pg, archive=False)
    for zone in ("UTC", "Europe/Madrid", "America/St_Johns"):
        for text in TIMES:
            row = cluster.sql(
                "SELECT (extract(epoch FROM x) * 1000000)::bigint - 946684800000000 "
                "FROM (SELECT set_config('TimeZone', %s, true)) z, LATERAL (SELECT %s::timestamptz) t(x)"
                " WHERE set_config IS NOT NULL",
                zone,
                text,
            )
            assert read_time(text, ZoneInfo(zone), ZoneInfo) == row[0][0], (zone, text)
