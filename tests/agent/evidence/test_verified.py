"""What `pitr-check verify-evidence` says, of a chain and of an archive's bytes today."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.cli import check
from tests.agent.evidence.test_written import pitr_check, segments, sha256sum
from tests.signing import Signed, draft, new_signed, wal_of
from tests.unpack import unpack_tar

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "docs/schemas/pitr-evidence-verification.schema.json").read_text())


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("sample")
    unpack_tar(ROOT / "tests" / "data" / "archives" / "good_15.tar.xz", home)
    return home


@pytest.fixture
def signed(tmp_path: Path) -> Signed:
    return new_signed(tmp_path)


def verify(signed: Signed, *more: object) -> int:
    words = ("verify-evidence", signed.directory, "--key", signed.public, "--format", "json", *more)
    return check.main([str(word) for word in words])


def test_todays_bytes_are_compared_with_what_was_proven(
    sample: Path, signed: Signed, capsys: pytest.CaptureFixture[str]
) -> None:
    """One story, because reading costs: sign, change the archive, verify."""
    pitr_check(sample, signed)
    capsys.readouterr()
    read = dict(line.split(" ") for line in signed.predicates()[0]["wal"]["read"])
    needed = {path.name: path for path in segments(sample) if path.name in read}
    said = verify(signed, "--archive", sample / "archive")
    archive = told(capsys)["archives"][0]
    assert (said, archive["same"], archive["never_signed"]) == (0, len(read), [])
    altered, absent = (needed[name] for name in sorted(needed)[2:4])
    before, gone = altered.read_bytes(), absent.read_bytes()
    try:
        altered.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        absent.unlink()
        said = verify(signed, "--archive", sample / "archive")
        archive = told(capsys)["archives"][0]
        assert said == 2
        verify(signed, "--archive", sample / "archive", "--format", "text")
        summary = f"2 segments are not as the chain in {signed.directory}, which is whole, proves"
        assert capsys.readouterr().out.startswith(f"CRITICAL: {summary} them\n")
        assert [each["segment"] for each in archive["altered"]] == [altered.name]
        assert archive["altered"][0]["today"] == [sha256sum(altered)]
        assert [each["segment"] for each in archive["absent"]] == [absent.name]
    finally:
        altered.write_bytes(before)
        absent.write_bytes(gone)
    forged = sample / "archive" / f"00000002{sorted(needed)[3][8:]}"
    forged.write_bytes(gone)
    try:
        assert verify(signed, "--archive", sample / "archive") == 3
        archive = told(capsys)["archives"][0]
        verify(signed, "--archive", sample / "archive", "--format", "text")
        summary = "is whole, but not all segments could be held against it"
        assert capsys.readouterr().out.startswith(
            f"UNKNOWN: the chain in {signed.directory} {summary}\n"
        )
        assert archive["never_signed"] == [forged.name]
    finally:
        forged.unlink()


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, SCHEMA)
    return document


def test_what_was_altered_is_told_to_programs_and_people(
    signed: Signed, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = signed.writer()
    for number in range(3):
        writer.write(draft(number))
    (file,) = signed.files
    file.write_bytes(b"".join(signed.lines[::2]))
    assert verify(signed) == 2
    (problem,) = told(capsys)["problems"]
    assert problem["kind"] == "removed"
    assert verify(signed, "--format", "text") == 2
    assert "CRITICAL" in (said := capsys.readouterr().out)
    assert "statement 2 is not there" in said


def test_a_thousand_statements_are_verified(
    signed: Signed, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    writer = signed.writer(file_bytes=100_000)
    for number in range(1000):
        writer.write(draft(number, wal_of(*range(number, number + 20))))
    assert verify(signed) == 0
    document = told(capsys)
    assert document["statements"] >= 1000
    assert len(signed.files) > 3


def test_a_directory_without_statements_is_not_known(
    signed: Signed, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(signed) == 3
    signed.directory.mkdir()
    assert verify(signed) == 3
    assert "holds no statements" in capsys.readouterr().err


def test_an_archive_that_no_statement_is_about_is_not_known(
    sample: Path, signed: Signed, capsys: pytest.CaptureFixture[str]
) -> None:
    signed.writer().write(draft(1))
    assert verify(signed, "--archive", sample / "archive") == 3
    assert verify(signed, "--archive", sample / "absent") == 3
    assert verify(signed) == 0


def test_the_private_key_is_not_for_verifying(
    signed: Signed, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["verify-evidence", str(signed.directory), "--key", str(signed.key)]
    assert check.main(words) == 64
    assert "is the private key" in capsys.readouterr().err
