"""WAL-G's sentinels and lists of files."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.errors import ParseError
from parsers.repository.walg import SENTINEL_SUFFIX, parse_files_metadata, parse_sentinel
from tests.fix_repositories import Samples

NAME = "base_00000002000000000000000E"


def test_every_backup_of_a_storage(samples: Samples) -> None:
    sample = samples("wg_zstd_sodium_gap_18")
    read = [
        parse_sentinel(path.read_bytes(), path.name.removesuffix(SENTINEL_SUFFIX))
        for path in sorted(sample.root.rglob(f"*{SENTINEL_SUFFIX}"))
    ]
    told = {each["label"]: each for each in sample.truth["backups"]}
    assert {backup.name for backup in read} == told.keys()
    for backup in read:
        assert backup.start_lsn == told[backup.name]["LSN"]
        assert backup.stop_lsn == told[backup.name]["FinishLSN"]
        assert backup.delta_from == told[backup.name].get("DeltaFrom")
        assert (backup.major, backup.timeline) == (18, 1)


def test_an_old_sentinel_lacks_most() -> None:
    backup = parse_sentinel(b'{"LSN": 5, "PgVersion": 90603}', NAME)
    assert (backup.stop_lsn, backup.system_identifier, backup.finished_at) == (None, None, None)
    assert (backup.timeline, backup.start_segment) == (2, NAME[5:])


def test_times_have_nanoseconds() -> None:
    text = json.dumps({"StartTime": "2026-11-28T14:38:47.924224123Z"}).encode()
    started = parse_sentinel(text, NAME).started_at
    assert started is not None and started.microsecond == 924224


@pytest.mark.parametrize(
    ("data", "name"),
    [(b"{", NAME), (b"[]", NAME), (b'{"LSN": "5"}', NAME), (b'{"LSN": -1}', NAME), (b"{}", "x")],
)
def test_what_cannot_be_right_is_a_parse_error(data: bytes, name: str) -> None:
    with pytest.raises(ParseError):
        parse_sentinel(data, name)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda each: (
    st.lists(each) | st.dictionaries(st.sampled_from(["Files", "TarFileSets", "x"]), each)
)))  # fmt: skip
def test_any_json_is_read_or_a_parse_error(value: object) -> None:
    for parse in (parse_files_metadata, lambda data: parse_sentinel(data, NAME)):
        with contextlib.suppress(ParseError):
            parse(json.dumps(value).encode())
