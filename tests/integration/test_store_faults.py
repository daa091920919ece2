"""A store that fails: nothing it keeps back is missing or damaged, and all is right again after."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from agent.archive.directory import list_archive
from agent.archive.fetch import FileRefused, fetch
from agent.store import objects
from agent.store.objects import list_objects
from tests.fix_check import Archived, Checked, pitr_check
from tests.fix_stores import READER_SECRET, Answer, Asked, Bucket, Fault, Proxy, given_up_soon

REFUSAL = b"<?xml version='1.0'?><Error><Code>%s</Code><Message>no</Message></Error>"
# What a segment that was not read, or a listing that failed, must never be called.
FALSE = re.compile(
    r"wal_gap|archived_but_absent|segment_damaged|bad_crc|truncated|oversized|empty|history_empty"
)


def answers(status: int, code: bytes = b"InternalError") -> Fault:
    def spoil(asked: Asked, answer: Answer) -> None:
        answer.status, answer.body, answer.headers = status, REFUSAL % code, []

    return spoil


def hangs_up(asked: Asked, answer: Answer) -> None:
    answer.body, answer.hangs_up = b"", True


def cuts_the_body(asked: Asked, answer: Answer) -> None:
    answer.promised, answer.body = len(answer.body), answer.body[: len(answer.body) // 2]


def ends_early(asked: Asked, answer: Answer) -> None:
    """A body cut short whose length says nothing of it; of a listing, well-formed."""
    if not asked.is_listing:
        answer.body = answer.body[: len(answer.body) // 2]
        return
    head, *keys = answer.body.split(b"<Contents>")
    end = b"</ListBucketResult>"
    kept = keys[: len(keys) // 2]
    body = b"<Contents>".join([head, *kept]).removesuffix(end)
    answer.body = re.sub(b"<(NextContinuationToken|IsTruncated)>[^<]*</[A-Za-z]*>", b"", body) + end


FAULTS: dict[str, Fault] = {
    "hangs up": hangs_up,
    "cuts the body": cuts_the_body,
    "ends early": ends_early,
    "403": answers(403, b"AccessDenied"),
    "404": answers(404, b"NoSuchKey"),
    "500": answers(500),
    "503": answers(503, b"SlowDown"),
}
LIKE_ANOTHER = ("cuts the body", "ends early", "500")  # asked again as long as one that hangs up


def every_third(fault: Fault) -> Fault:
    """Spoil every third answer, but none to one question twice running, as threads interleave."""
    spoiled: set[str] = set()

    def sometimes(asked: Asked, answer: Answer) -> None:
        if asked.number % 3 == 2 and asked.path not in spoiled:
            spoiled.add(asked.path)
            fault(asked, answer)
        else:
            spoiled.discard(asked.path)

    return sometimes


def objects_only(fault: Fault) -> Fault:
    return lambda asked, answer: None if asked.is_listing else fault(asked, answer)


@pytest.fixture
def url(bucket: Bucket, archived: Archived) -> str:
    return bucket.put_tree(archived.archive, "sound")


def check(url: str, archived: Archived, *options: str) -> Checked:
    named = ("--archive", url, "--backup", archived.backup, "--format", "json")
    return pitr_check(*named, *options)


@pytest.mark.parametrize("name", FAULTS)
def test_every_third_answer_spoiled_changes_no_verdict(
    proxy: Proxy, archived: Archived, url: str, name: str
) -> None:
    proxy.fault = every_third(FAULTS[name])
    checked = check(url, archived)
    assert (checked.status, checked.json["verdict"]) == (0, "ok"), checked.out
    assert proxy.asked


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.campaign if name in LIKE_ANOTHER else ())
        for name in FAULTS
    ],
)
def test_segments_kept_back_are_unknown_and_known_again_after(
    proxy: Proxy, archived: Archived, url: str, tmp_path: Path, name: str
) -> None:
    ledger = str(tmp_path / "ledger")
    proxy.fault = objects_only(FAULTS[name])
    checked = check(url, archived, "--ledger", ledger)
    assert checked.status == 3, checked.out
    assert not FALSE.search(checked.out + checked.err), checked.out
    assert READER_SECRET not in checked.out + checked.err
    proxy.fault = lambda asked, answer: None
    checked = check(url, archived, "--ledger", ledger)
    assert (checked.status, checked.json["verdict"]) == (0, "ok")
    before = len(proxy.asked)
    assert check(url, archived, "--ledger", ledger).status == 0
    read = [asked.path for asked in proxy.asked[before:] if not asked.is_listing]
    assert len(read) <= 2, "what the ledger knows is not read again"


def test_one_object_that_always_fails_keeps_no_other_back(
    proxy: Proxy, archived: Archived, url: str
) -> None:
    bad = archived.segments[3].name

    def fails(asked: Asked, answer: Answer) -> None:
        if asked.path.endswith(bad):
            answers(500)(asked, answer)

    proxy.fault = fails
    with given_up_soon():
        checked = check(url, archived, "--workers", "1")
    assert checked.status == 3
    unread = next(each for each in checked.json["findings"] if each["id"] == "wal_unread")
    assert json.dumps(unread).count("0000000100") == json.dumps(unread).count(bad) > 0


@pytest.mark.parametrize("name", [name for name in FAULTS if name != "ends early"])
def test_a_listing_kept_back_is_unknown(
    proxy: Proxy, archived: Archived, url: str, name: str
) -> None:
    proxy.fault = FAULTS[name]
    with given_up_soon():
        checked = check(url, archived)
    assert checked.status == 3, checked.out
    assert not FALSE.search(checked.out + checked.err)
    assert f"{url}: cannot be listed: " in checked.err
    assert len(checked.err.strip().splitlines()) == 1
    proxy.fault = lambda asked, answer: None
    assert check(url, archived).status == 0


def test_a_listing_that_ends_early_goes_on(proxy: Proxy, bucket: Bucket) -> None:
    names = [f"{number:08X}" for number in range(1200)]
    for name in names:
        bucket.put(f"many/{name}", b"")
    proxy.fault = lambda asked, answer: ends_early(asked, answer) if asked.number < 3 else None
    listed = [entry.key for entry in list_objects(bucket.url("many"))]
    assert listed == [f"many/{name}" for name in names]
    after = [entry.key for entry in list_objects(bucket.url("many"), f"many/{names[1000]}")]
    assert after == listed[1001:]


def test_what_a_listing_has_read_is_not_asked_for_again(
    proxy: Proxy, bucket: Bucket, archived: Archived
) -> None:
    (archived.archive / "00000002.history").write_text("1\t0/1\tno recovery target specified\n")
    url = bucket.put_tree(archived.archive, "watched")
    first = list_archive(url)
    before = len(proxy.asked)
    again = list_archive(url)
    read = [asked.path for asked in proxy.asked[before:] if not asked.is_listing]
    assert (again.histories, again.backup_labels) == (first.histories, first.backup_labels)
    assert again.histories
    assert again.backup_labels
    assert len(read) == 1, "the newest segment's first page"
    bucket.put("watched/00000002.history", b"1\t0/2000000\tanother, of another size\n")
    assert list_archive(url).histories != first.histories


def test_a_store_that_answers_late_is_asked_again(
    proxy: Proxy, archived: Archived, url: str
) -> None:
    def late(asked: Asked, answer: Answer) -> None:
        if asked.number == 1:
            time.sleep(12)

    proxy.fault = late
    assert check(url, archived).status == 0


# -- fetch-wal ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAULTS)
def test_fetch_wal_gives_the_file_or_stops(
    proxy: Proxy, archived: Archived, url: str, tmp_path: Path, name: str
) -> None:
    segment, target = archived.segments[2], tmp_path / "RECOVERYXLOG"
    proxy.fault = every_third(FAULTS[name])
    if name != "ends early":
        assert fetch(segment.name, str(target), [url])
        assert target.read_bytes() == segment.read_bytes()
    with given_up_soon():
        proxy.fault = objects_only(FAULTS[name])
        with pytest.raises(FileRefused):
            fetch(segment.name, str(target), [url])
        proxy.fault = FAULTS[name]
        if name != "ends early":
            with pytest.raises(FileRefused):
                fetch("00000001000000FF00000000", str(target), [url])
        proxy.fault = lambda asked, answer: None
        time.sleep(0 if name in ("403", "404") else objects.REST_SECONDS + 1)
    assert not fetch("00000001000000FF00000000", str(target), [url])
    assert fetch(segment.name, str(target), [url])
