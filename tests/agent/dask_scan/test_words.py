"""What a worker answers is believed only where it is the scan of the segment that was asked for."""

from __future__ import annotations

import os
import pickle
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.archive.directory import list_archive
from agent.dask_scan import words, workers
from agent.dask_scan.address import scheduler_url
from agent.dask_scan.answering import Errand, answer
from agent.dask_scan.words import (
    Failed,
    NotThere,
    Present,
    Question,
    Read,
    Refused,
    StoreCost,
    decode_answer,
    encode_answer,
    encode_question,
    in_one_line,
)
from parsers.errors import ParseError
from parsers.segment import segment_name
from rules.model.facts import ArchivedFile
from tests.wal_writer import MIB, WalWriter

NAME = segment_name(1, 1, MIB)


@pytest.fixture
def file(tmp_path: Path) -> ArchivedFile:
    wal = WalWriter()
    wal.commit(700, 1)
    wal.fill_to(0)
    (tmp_path / NAME).write_bytes(wal.segments()[0])
    os.utime(tmp_path / NAME, (1, 1))
    return list_archive(str(tmp_path)).segments[NAME]


@pytest.fixture
def question(file: ArchivedFile) -> Question:
    return Question(
        os.fsencode(file.directory), os.fsencode(file.name), file.size_bytes, file.mtime_ns,
        file.ctime_ns, NAME, MIB, "records", False,
    )  # fmt: skip


@pytest.fixture
def read(question: Question) -> Read:
    answered = decode_answer(answer(encode_question(question)))
    assert isinstance(answered, Read)
    return answered


def test_an_errand_is_done_where_it_is_unpickled(question: Question) -> None:
    asked = encode_question(question)
    assert decode_answer(pickle.loads(pickle.dumps(Errand(asked)))) == decode_answer(answer(asked))
    assert decode_answer(answer(encode_question(None))) == Present()


def test_other_code_answers_nothing(question: Question) -> None:
    asked = bytearray(encode_question(question))
    asked[0] ^= 1
    refused = decode_answer(answer(bytes(asked)))
    assert isinstance(refused, Refused)
    assert refused.runs.startswith("pitr-agent ")
    assert isinstance(decode_answer(answer(b"")), Refused)


def test_what_is_taken_is_dated_by_our_clock(question: Question, read: Read) -> None:
    at = datetime.now(UTC)
    scanned = workers._taken(read, question, at)
    assert (scanned.read_at, scanned.sound, scanned.stable) == (at, True, False)  # ctime is now
    settled = msgspec.structs.replace(read, stable=True)  # as its own clock says
    assert not workers._taken(settled, question, at).stable
    assert workers._taken(settled, question, at.replace(year=at.year + 1)).stable
    unsettled = msgspec.structs.replace(read, stable=False)
    assert not workers._taken(unsettled, question, at.replace(year=at.year + 1)).stable


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ({"scan": b"\x93"}, "not a scan"),
        ({"scan": b""}, "not a scan"),
        ({"digest": b"short"}, "its digest is none"),
        ({"usage": StoreCost(bytes_read=-1)}, "not what a file can have cost"),
        ({"usage": StoreCost(requests={"delete": 1})}, "not what a file can have cost"),
        ({"usage": StoreCost(seconds={"read": float("nan")})}, "not what a file can have cost"),
    ],
)
def test_what_is_no_scan_is_refused(
    question: Question, read: Read, spoilt: dict[str, object], said: str
) -> None:
    with pytest.raises(ParseError, match=said):
        workers._taken(msgspec.structs.replace(read, **spoilt), question, datetime.now(UTC))


@pytest.mark.parametrize(
    "asked", [{"segment": segment_name(1, 2, MIB)}, {"depth": "headers"}], ids=str
)
def test_the_scan_of_another_segment_is_refused(
    question: Question, read: Read, asked: dict[str, str]
) -> None:
    other = msgspec.structs.replace(question, **asked)
    with pytest.raises(ParseError, match="of another segment, or of another depth"):
        workers._taken(read, other, datetime.now(UTC))


def test_no_more_transactions_are_unpacked_than_a_segment_has_room_for(
    question: Question, read: Read
) -> None:
    """A few bytes of LZ4 could be gigabytes."""
    bomb = msgspec.msgpack.encode((MIB, [b"\x00"] * 5, {}))
    with pytest.raises(ParseError, match="not the transactions of a segment"):
        workers._taken(
            msgspec.structs.replace(read, transactions=bomb), question, datetime.now(UTC)
        )


@given(st.binary(max_size=200) | st.none() | st.integers())
def test_anything_else_is_no_answer(data: object) -> None:
    try:
        found = decode_answer(data)
    except ParseError:
        return
    assert type(found) in (Refused, Present, NotThere, Failed, Read)


@pytest.mark.parametrize(
    "given", [Refused("x"), Present(), NotThere("y", StoreCost()), Failed("z", True, StoreCost())]
)
def test_answers_are_read_as_they_were_written(given: words.Answer) -> None:
    assert decode_answer(encode_answer(given)) == given


def test_an_answer_may_not_be_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode_answer(Refused("x" * 100))
    monkeypatch.setattr(words, "ANSWER_BYTES_MOST", 100)
    with pytest.raises(ParseError):
        decode_answer(data)


def test_words_of_others_cannot_steer_a_terminal() -> None:
    assert in_one_line("a\x1b[31m\nb\u202ec") == "a [31m b c"
    assert len(in_one_line("x" * 10_000)) == 500


@pytest.mark.parametrize("url", ["tcp://h:8786", "tls://10.0.0.1:1", "tcp://[::1]:8786"])
def test_addresses(url: str) -> None:
    assert scheduler_url(url) == url


def test_a_worker_says_what_it_cannot_read(file: ArchivedFile, question: Question) -> None:
    Path(file.path).write_bytes(b"another")
    other = decode_answer(answer(encode_question(question)))
    assert isinstance(other, NotThere)
    assert other.why == "a worker sees another file there"
    Path(file.path).unlink()
    gone = decode_answer(answer(encode_question(question)))
    assert isinstance(gone, NotThere)
    Path(file.path).mkdir()
    failed = decode_answer(answer(encode_question(question)))
    assert isinstance(failed, Failed)
    assert failed.why == "a worker: cannot be read: Is a directory"
