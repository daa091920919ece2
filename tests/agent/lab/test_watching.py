"""What the laboratory reads in the agent's metrics, and how it says it."""

import pytest

from agent.lab.metrics_page import parse_metrics_page
from agent.lab.watching import describe_page, has_all_archived, is_dead_and_whole, is_up

_ALIVE = """\
# TYPE pitr_up gauge
pitr_up{cluster="laboratorio"} 1.0
# TYPE pitr_archiver_archived counter
pitr_archiver_archived_total{cluster="laboratorio"} 4.0
# TYPE pitr_archive_ready_files gauge
pitr_archive_ready_files{cluster="laboratorio"} 0.0
# TYPE pitr_recovery_point_exposure_bytes gauge
pitr_recovery_point_exposure_bytes{cluster="laboratorio"} 2048.0
# TYPE pitr_archive_missing_segments gauge
pitr_archive_missing_segments{class="lost",cluster="laboratorio",timeline="1"} 0.0
# TYPE pitr_check_known gauge
pitr_check_known{cluster="laboratorio",id="wal_gap"} 1.0
# TYPE pitr_finding gauge
pitr_finding{cluster="laboratorio",id="wal_gap",severity="critical"} 0.0
pitr_finding{cluster="laboratorio",id="archiving_off",severity="info"} 1.0
"""


def test_a_living_server_is_told_with_its_numbers() -> None:
    page = parse_metrics_page(_ALIVE)
    assert is_up(page) and has_all_archived(page, 4) and not is_dead_and_whole(page)
    assert describe_page(page) == (
        "pitr_up 1 · 4 archived · 0 waiting (.ready) · exposed 2 KiB · missing 0 · damaged 0"
        " · findings: none"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("archived_total{cluster", 'archived_total{other="x",cluster'),
        ('id="wal_gap"} 1.0', 'id="wal_gap"} 0.0'),
        ('timeline="1"} 0.0', 'timeline="1"} 1.0'),
        ("ready_files{", "other_files{"),
    ],
)
def test_what_is_missing_blind_or_unknown_is_not_settled(old: str, new: str) -> None:
    settled = has_all_archived(parse_metrics_page(_ALIVE.replace(old, new)), 4)
    assert settled is ("total" in old)  # a label more changes nothing


def test_findings_are_those_that_hold_of_the_severities_asked_for() -> None:
    page = parse_metrics_page(_ALIVE.replace('"critical"} 0.0', '"critical"} 2.0'))
    assert page.findings() == {"wal_gap", "archiving_off"}
    assert page.findings("warning", "critical") == {"wal_gap"}


def test_an_agent_that_does_not_answer_is_told_as_that() -> None:
    assert describe_page(None) == "does not answer"


def test_what_is_unknown_is_not_told_as_zero() -> None:
    page = parse_metrics_page(_ALIVE.replace("pitr_archive_ready_files", "pitr_other"))
    assert "unknown waiting" in describe_page(page)
