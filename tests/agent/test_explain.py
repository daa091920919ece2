"""`pitr-check explain`: every finding has a page that a person can act on."""

import pytest

from agent.cli import check
from rules.check import load_catalogue


@pytest.mark.parametrize("finding", sorted(load_catalogue()))
def test_every_finding_has_a_page(finding: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["explain", finding]) == 0
    page = capsys.readouterr().out
    why, _, remedy = page.partition("Why it matters\n")[2].partition("What to do\n")
    assert len(why.split()) >= 8, "says too little of why it matters"
    assert len(remedy.split()) >= 5, "says too little of what to do"
    assert max(map(len, page.splitlines())) <= 100


def test_without_a_name_it_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["explain"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == sorted(load_catalogue())


def test_a_wrong_name_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["explain", "walgap"]) == 64
    assert "did you mean wal_gap?" in capsys.readouterr().err
