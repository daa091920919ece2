"""What each of several archives would reach without the others."""

from __future__ import annotations

import pytest

from rules.model.evidence import AloneFacts, CopyAlone
from rules.model.facts import Objectives
from tests.rules.make_case import LISTED_AT, backup_of, case_of, files_of
from tests.rules.make_restore import long_story

HOURS_AGO = int((LISTED_AT.timestamp() - 7200) * 1e9)
STORY = long_story()
FILES = files_of(STORY)
SECOND, THIRD, FOURTH, FIFTH = sorted(FILES)


def damaged(data: bytes) -> bytes:
    return data[:60] + bytes([data[60] ^ 1]) + data[61:]


def alone(one: dict[str, bytes], two: dict[str, bytes], **given) -> list[CopyAlone]:
    given.setdefault("mtime_ns", HOURS_AGO)
    case = case_of(STORY, archives={"/one": one, "/two": two}, **given)
    found = case.get(AloneFacts)
    assert found is not None
    return list(found.by_archive)


def end(copy: CopyAlone) -> int | None:
    """The last segment that a restore from it alone replays."""
    window = copy.windows.latest_end
    return None if window is None else (window.to_lsn - 1) >> 20


def test_of_a_single_archive_there_is_nothing_to_tell() -> None:
    found = case_of(STORY).get(AloneFacts)
    assert found is not None and found.by_archive == ()


@pytest.mark.parametrize("depth", ["records", "names"])
def test_of_two_alike_each_reaches_what_both_do(depth: str) -> None:
    one, two = alone(FILES, FILES, depth=depth)
    assert [copy.url for copy in (one, two)] == ["/one", "/two"]
    assert end(one) == end(two) == 5
    assert (one.restorable, one.lacking, one.bad, one.unread_count) == (True, (), (), 0)


@pytest.mark.parametrize("depth", ["records", "names"])
def test_a_copy_that_lacks_a_segment_ends_before_it(depth: str) -> None:
    one, two = alone(FILES, {n: d for n, d in FILES.items() if n != FOURTH}, depth=depth)
    assert (end(one), end(two)) == (5, 3)
    assert (one.lacking, two.lacking) == ((), (FOURTH,))
    assert two.restorable is True


@pytest.mark.parametrize("depth", ["records", "names"])
def test_a_copy_without_the_backups_own_wal_restores_nothing(depth: str) -> None:
    _, two = alone(FILES, {FIFTH: FILES[FIFTH]}, depth=depth)
    assert (end(two), two.restorable) == (None, False)
    assert two.in_words == "from this copy alone no backup can be restored"


def test_a_copy_whose_file_is_bad_ends_there_though_the_other_serves() -> None:
    one, two = alone({**FILES, FOURTH: damaged(FILES[FOURTH])}, FILES)
    assert (end(one), end(two)) == (3, 5)
    assert (one.bad, two.bad) == ((FOURTH,), ())
    assert (one.lacking, two.lacking) == ((), ())


def test_a_file_that_was_not_read_makes_the_answer_doubtful() -> None:
    one, two = alone(FILES, FILES, skip=[f"/two/{FOURTH}"])
    assert (one.unread_count, two.unread_count) == (0, 1)
    assert (one.restorable, two.restorable) == (True, None)
    assert two.in_words.endswith("unless one of 1 files not read is bad")
    assert end(one) == 5


@pytest.mark.parametrize(
    ("mtime_ns", "rpo_seconds", "lacks"),
    [
        (HOURS_AGO, 3600.0, True),
        (int((LISTED_AT.timestamp() - 301) * 1e9), float("inf"), True),
        (int((LISTED_AT.timestamp() - 299) * 1e9), float("inf"), False),  # it may be on its way
        (int((LISTED_AT.timestamp() - 61) * 1e9), 60.0, True),
        (int((LISTED_AT.timestamp() - 59) * 1e9), 60.0, False),
    ],
)
def test_a_segment_is_lacking_once_it_should_have_come(
    mtime_ns: int, rpo_seconds: float, lacks: bool
) -> None:
    less = {name: data for name, data in FILES.items() if name != FIFTH}
    _, two = alone(FILES, less, mtime_ns=mtime_ns, objectives=Objectives(rpo_seconds=rpo_seconds))
    assert two.lacking == ((FIFTH,) if lacks else ())


def test_what_lies_before_every_backup_is_not_missed() -> None:
    first = f"{SECOND[:-1]}1"
    _, two = alone({**FILES, first: FILES[SECOND]}, FILES)
    assert two.lacking == ()


def test_a_backup_that_cannot_be_restored_stays_so_in_every_copy() -> None:
    bad = backup_of(STORY, bad_files=("base/1/1259: absent",))
    copies = alone(FILES, {SECOND: FILES[SECOND]}, backups=[bad])
    assert [copy.restorable for copy in copies] == [False, False]
