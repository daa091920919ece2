"""Today's bytes of a repository of another tool against what was proven of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from agent.cli import check
from tests.fix_repositories import Samples
from tests.signing import Signed, new_signed

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def verify(
    root: Path, signed: Signed, capsys: pytest.CaptureFixture[str]
) -> tuple[int, dict[str, list[object]]]:
    capsys.readouterr()
    status = check.main([
        "verify-evidence", str(signed.directory), "--key", str(signed.public), "--format", "json",
        "--repository", str(root),
    ])  # fmt: skip
    (archive,) = json.loads(capsys.readouterr().out)["archives"]
    return status, archive


@pytest.mark.parametrize("case", ["br_bundle_block_18", "br_timelines_16", "br_cipher_16"])
def test_a_repository_is_compared_with_what_was_proven(
    case: str,
    samples: Samples,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Compressed and encrypted files by the WAL in them, as a restore gets it."""
    sample, signed = samples(case), new_signed(tmp_path / "signed")
    if (phrase := sample.passphrase()) is not None:
        monkeypatch.setenv("PGBACKREST_REPO1_CIPHER_PASS", phrase.decode())
    root = tmp_path / "repository"
    shutil.copytree(sample.url(), root)
    check.main([
        "--repository", str(root), "--workers", "1", "--format", "json",
        "--evidence", str(signed.directory), "--evidence-key", str(signed.key),
    ])  # fmt: skip
    status, archive = verify(root, signed, capsys)
    assert archive["same"]
    assert (archive["altered"], archive["absent"], archive["unread"]) == ([], [], [])
    assert status in (0, 3), "3: a segment between those that were proven was never signed"
    if case == "br_bundle_block_18":
        assert status == 0
    proven = {line.split()[0] for line in signed.predicates()[0]["wal"]["read"]}
    stored = sorted((root / "archive").rglob("0000*-*"))
    files = [path for path in stored if path.name[:24] in proven]
    files[1].unlink()
    status, archive = verify(root, signed, capsys)
    (absent,) = archive["absent"]
    assert (status, absent["segment"]) == (2, files[1].name[:24])
    files[2].write_bytes(files[3].read_bytes())
    status, archive = verify(root, signed, capsys)
    altered = [each["segment"] for each in archive["altered"]]
    assert (status, altered) == (2, [files[2].name[:24]])
