"""Archives of real servers whose every target was really restored once: we must say the same.

The truth files hold what each restore did. Backups are cut down to the files that say what they
are, so they are looked at to the depth `label`.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.fix_check import pitr_check, timeless

ARCHIVES = Path(__file__).parent.parent / "data" / "archives"
TRUTHS = {
    path.name.removesuffix(".truth.json"): json.loads(path.read_text())
    for path in sorted(ARCHIVES.glob("*.truth.json"))
}
TARGETS = [
    pytest.param(case, target, id=f"{case}: {target['type']} {target['at']}")
    for case, truth in TRUTHS.items()
    for target in truth["restorable"]["targets"]
]


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("samples")
    for case in TRUTHS:
        with tarfile.open(ARCHIVES / f"{case}.tar.xz") as tar:
            tar.extractall(home / case, filter="data")
    return home


def check(home: Path, *options: str) -> dict[str, Any]:
    named = ("--archive", home / "archive", "--backup", home / "backup")
    return pitr_check(*named, "--backup-depth", "label", "--format", "json", *options).json


@pytest.mark.parametrize("case", TRUTHS)
def test_the_inventory_is_the_truth(unpacked: Path, case: str) -> None:
    truth, verdict = TRUTHS[case], check(unpacked / case)
    (archive,), (backup,) = verdict["archives"], verdict["backups"]
    assert verdict["system_identifier"] == truth["system_identifier"]
    assert verdict["wal_segment_size"] == truth["wal_segment_size"]
    assert [[gap["first"], gap["last"]] for gap in archive["gaps"]] == truth["gaps"]
    assert not archive["damaged"]
    assert {(t["id"], t["parent"], t["switch_lsn"]) for t in archive["timelines"]} == {
        (t["timeline"], t["parent"], t["switch_lsn"]) for t in truth["timelines"]
    }
    for key in ("start_lsn", "stop_lsn", "start_segment", "stop_segment", "timeline"):
        assert backup[key] == truth["backup"][key]
    points = {(p["name"], p["lsn"], p["end_lsn"]) for p in verdict["restore_points"]}
    assert {(p["name"], p["lsn"], p["end_lsn"]) for p in truth["restore_points"]} <= points


@pytest.mark.parametrize(("case", "target"), TARGETS)
def test_each_target_goes_as_it_went(unpacked: Path, case: str, target: dict[str, Any]) -> None:
    options = []
    if target["type"] in ("time", "lsn", "xid", "name"):
        options = [f"--target-{target['type']}", target["value"]]
    elif target["type"] == "immediate":
        options = ["--target-immediate"]
    options += [] if target["inclusive"] else ["--exclusive"]
    options += ["--timeline", str(target["timeline"])] if target.get("timeline") else []
    said, seen = check(unpacked / case, *options)["target"], target["observed"]
    assert said["reachable"] is target["restorable"]
    assert said["outcome"] == ("fails" if seen["server"] == "failed" else "opens")
    assert said["fatal"] == seen.get("fatal")
    if seen.get("timeline"):
        assert said["new_timeline"] == seen["timeline"]


@pytest.mark.parametrize("case", TRUTHS)
def test_a_ledger_changes_nothing_but_when_it_was_read(
    unpacked: Path, case: str, tmp_path: Path
) -> None:
    bare = timeless(check(unpacked / case))
    for _ in range(2):
        known = check(unpacked / case, "--ledger", str(tmp_path / "ledger.sqlite"))
        assert timeless(known) == bare
