"""What no worker is asked about: it is read by this process."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
import pytest

from agent.archive.ciphers import Cipher
from agent.archive.directory import list_archive
from agent.archive.readings import read_segment
from agent.dask_scan import workers
from agent.dask_scan.answering import answer
from agent.dask_scan.words import Question, Read, decode_answer, encode_question
from agent.dask_scan.workers import DaskWorkers
from agent.repositories.reading import read_with_keys
from parsers.segment import segment_name
from rules.model.facts import ArchivedFile
from tests.fix_tools import PATIENCE_SECONDS
from tests.wal_writer import MIB, WalWriter

NAME = segment_name(1, 1, MIB)
NOWHERE = "tcp://127.0.0.1:9"


@pytest.fixture
def file(tmp_path: Path) -> ArchivedFile:
    wal = WalWriter()
    wal.commit(700, 1)
    wal.fill_to(0)
    (tmp_path / NAME).write_bytes(wal.segments()[0])
    return list_archive(str(tmp_path)).segments[NAME]


def test_no_key_leaves_this_process(file: ArchivedFile) -> None:
    elsewhere = DaskWorkers(NOWHERE, pytest.fail)
    keys = {"/somewhere": Cipher("aes-256-cbc", b"planted")}
    read = partial(read_with_keys, keys)
    scanned = elsewhere.submit(file.path, read, file, NAME, MIB, "records").result(PATIENCE_SECONDS)
    assert scanned.sound
    assert elsewhere._link is None
    elsewhere.close()


def test_a_member_of_a_tar_in_a_store_is_read_here() -> None:
    member = ArchivedFile("s3://b/wal.tar", NAME, MIB, 1, 1)
    asked: list[ArchivedFile] = []
    elsewhere = DaskWorkers(NOWHERE, pytest.fail)
    elsewhere.submit("x", asked.append, member, NAME).exception(PATIENCE_SECONDS)
    assert elsewhere._link is None
    elsewhere.close()


@pytest.mark.parametrize(
    ("read", "of_a_tool"), [(read_segment, False), (partial(read_with_keys, {}), True)]
)
def test_a_tool_s_file_is_read_as_that(
    file: ArchivedFile, monkeypatch: pytest.MonkeyPatch, read: object, of_a_tool: bool
) -> None:
    asked: list[bool] = []

    async def ask(link: object, of_a_tool: bool, *_: object, **__: object) -> None:
        asked.append(of_a_tool)

    monkeypatch.setattr(workers, "_ask", ask)
    elsewhere = DaskWorkers(NOWHERE, pytest.fail)
    elsewhere.submit(file.path, read, file, NAME, MIB, "records").result(PATIENCE_SECONDS)
    elsewhere.close()
    assert asked == [of_a_tool]


def test_content_under_another_s_name_is_said(file: ArchivedFile) -> None:
    """pgBackRest puts the SHA-1 of the content into the name."""
    path = Path(file.path)
    stored = path.rename(path.with_name(f"{NAME}-{'0' * 40}"))
    status = stored.stat()
    question = Question(
        bytes(stored.parent), stored.name.encode(), status.st_size, status.st_mtime_ns,
        status.st_ctime_ns, NAME, MIB, "records", True,
    )  # fmt: skip
    told = decode_answer(answer(encode_question(question)))
    assert isinstance(told, Read)
    assert (told.misnamed, told.stable) == (True, False)
    scanned = workers._taken(told, question, datetime.now(UTC))
    assert scanned.changed is not None
    assert (scanned.changed.by_name, scanned.changed.url) == (True, str(stored))
    right = msgspec.structs.replace(told, misnamed=False)
    assert workers._taken(right, question, datetime.now(UTC)).changed is None
