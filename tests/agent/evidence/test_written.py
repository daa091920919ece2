"""What pitr-check writes, verified by libraries that had no part in it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf.json_format import ParseDict
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from nacl.signing import VerifyKey
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError

from agent.cli import agent, check
from tests.signing import Signed, new_signed, statements, verified
from tests.unpack import unpack_tar

SAMPLE = Path(__file__).parents[2] / "data" / "archives" / "good_15.tar.xz"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("sample")
    unpack_tar(SAMPLE, home)
    return home


@pytest.fixture
def signed(tmp_path: Path) -> Signed:
    return new_signed(tmp_path)


def pitr_check(sample: Path, signed: Signed, *more: object) -> int:
    words = (
        "--archive", sample / "archive", "--backup", sample / "backup", "--workers", "1",
        "--format", "json", "--evidence", signed.directory, "--evidence-key", signed.key, *more,
    )  # fmt: skip
    return check.main([str(word) for word in words])


def segments(sample: Path) -> list[Path]:
    return sorted(path for path in (sample / "archive").iterdir() if len(path.name) == 24)


def test_a_verdict_is_proven_by_manifest_and_segments(
    sample: Path, signed: Signed, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is proven again, with the same bytes, takes no line a segment again."""
    status = pitr_check(sample, signed)
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    (statement,) = statements(signed)
    predicate = statement["predicate"]
    assert predicate["verdict"]["verdict"] == document["verdict"]
    assert predicate["prediction"]["stop"] == document["target"]["stop"]
    assert predicate["by"]["program"] == "pitr-check"
    by_name = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
    manifest = hashlib.sha256((sample / "backup" / "backup_manifest").read_bytes()).hexdigest()
    assert by_name[f"backup/{document['backups'][0]['label']}"] == manifest
    read = dict(line.split(" ") for line in predicate["wal"]["read"])
    needed = {path.name: path for path in segments(sample) if path.name in read}
    assert read == {name: sha256sum(path) for name, path in needed.items()}
    assert len(read) > 5
    line = hashlib.sha256(signed.lines[0].rstrip(b"\n")).hexdigest()
    assert f"statement 1 in {signed.directory}, sha256 {line}" in printed.err

    assert pitr_check(sample, signed, "--target-immediate") == status
    capsys.readouterr()
    second = signed.predicates()[1]
    assert second["previous"] == {"sha256": line}
    assert second["wal"]["read"] == []
    assert second["wal"]["sha256"] == predicate["wal"]["sha256"]


def sha256sum(path: Path) -> str:
    said = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout
    return said.split()[0].lstrip("\\")


def test_independent_libraries_take_it(sample: Path, signed: Signed) -> None:
    """securesystemslib for the envelope, libsodium for the signature, in-toto for the statement."""
    assert pitr_check(sample, signed, "--depth", "headers") in (0, 1)
    (line,) = signed.lines
    document = json.loads(line)
    envelope = verified(document, signed.public)
    assert envelope.payload_type == "application/vnd.in-toto+json"
    statement = json.loads(envelope.payload)
    Statement.copy_from_pb(ParseDict(statement, statement_pb2.Statement())).validate()
    key = load_pem_public_key(signed.public.read_bytes()).public_bytes_raw()  # type: ignore[union-attr]
    pae = Envelope(envelope.payload, envelope.payload_type, {}).pae()
    VerifyKey(key).verify(pae, base64.b64decode(document["signatures"][0]["sig"]))
    document["payload"] = base64.b64encode(envelope.payload + b" ").decode()
    with pytest.raises(VerificationError):
        verified(document, signed.public)


def test_a_check_that_could_not_be_made_is_signed_too(
    sample: Path, signed: Signed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pitr_check(sample, signed, "--archive", tmp_path / "absent") == 3
    (predicate,) = signed.predicates()
    assert predicate["verdict"]["verdict"] == "unknown"


def test_what_cannot_be_written_is_a_finding(
    sample: Path, signed: Signed, capsys: pytest.CaptureFixture[str]
) -> None:
    signed.directory.write_text("a file where the directory belongs")
    status = pitr_check(sample, signed, "--depth", "names")
    document = json.loads(capsys.readouterr().out)
    found = {finding["id"]: finding for finding in document["findings"]}
    assert "evidence_not_written" in found
    assert str(signed.directory) in found["evidence_not_written"]["summary"]
    assert document["verdict"] != "ok" and status in (1, 3)


def test_a_full_disk_leaves_a_chain_that_verifies(signed: Signed, monkeypatch: Any) -> None:
    """Half of a line was written when the disk was full."""
    import errno

    from agent.evidence import writer as module
    from tests.signing import draft

    signed.writer().write(draft(1))
    real = os.write

    def full(descriptor: int, data: Any) -> int:
        real(descriptor, data[:50])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module.os, "write", full)
    with pytest.raises(module.CannotWriteEvidence, match="No space left"):
        signed.writer().write(draft(2))
    monkeypatch.undo()
    assert signed.judge().problems == ()
    assert signed.writer().write(draft(3)).sequence == 2
    assert signed.judge().problems == ()


# -- keys ---------------------------------------------------------------------------------------


def test_a_key_is_its_owners_and_openssl_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "k"
    os.umask(os.umask(0o077))
    assert agent.main(["new-evidence-key", str(key)]) == 0
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    said = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", f"{key}.pub", "-noout", "-text"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "ED25519" in said
    before = key.read_bytes()
    capsys.readouterr()
    assert agent.main(["new-evidence-key", str(key)]) == 64
    assert "is there already" in capsys.readouterr().err
    assert key.read_bytes() == before


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("absent", "there is no key"),
        ("public", "holds no private key"),
        ("open", "chmod 600"),
        ("rubbish", "holds no private key"),
        ("rsa", "no Ed25519 key"),
    ],
)
def test_a_key_that_is_of_no_use_is_said_before_anything_is_read(
    sample: Path, signed: Signed, what: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    match what:
        case "absent":
            signed.key.unlink()
        case "public":
            signed.key.write_bytes(signed.public.read_bytes())
        case "open":
            signed.key.chmod(0o644)
        case "rubbish":
            signed.key.write_bytes(b"\x00")
        case "rsa":
            subprocess.run(
                ["openssl", "genrsa", "-out", signed.key, "1024"], check=True, capture_output=True
            )
    assert pitr_check(sample, signed) == 64
    assert said in capsys.readouterr().err
    assert not signed.directory.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--evidence", "e"), "go together"),
        (("--evidence-key", "k"), "is for --evidence"),
        (("--evidence", "", "--evidence-key", "KEY"), "--evidence is empty"),
        (("--evidence-limit", "3"), "is not a size"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    signed: Signed, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(signed.key) if word == "KEY" else word for word in words]
    assert check.main(["--archive", "/a", *given]) == 64
    assert said in capsys.readouterr().err
