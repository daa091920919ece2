"""Archives of real servers whose every target was really restored once: we must say the same.

The truth files hold what each restore did. Backups are cut down to the files that say what they
are, so they are looked at to the depth `label`. `data/truth` has histories, reduced, that once
contradicted a prediction.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.fix_check import pitr_check, timeless
from tests.unpack import unpack_tar

ARCHIVES = Path(__file__).parent.parent / "data" / "archives"
REDUCED = Path(__file__).parent.parent / "data" / "truth"


def read_truths(directory: Path) -> dict[str, dict[str, Any]]:
    return {
        path.name.removesuffix(".truth.json"): json.loads(path.read_text())
        for path in sorted(directory.glob("*.truth.json"))
    }


TRUTHS = read_truths(ARCHIVES)
CONTRADICTIONS = [
    pytest.param(
        case, restore, id=f"{case}: {restore['target']['type']} {restore['target']['timeline']}"
    )
    for case, truth in read_truths(REDUCED).items()
    for restore in truth["targets"]
]
TARGETS = [
    pytest.param(case, target, id=f"{case}: {target['type']} {target['at']}")
    for case, truth in TRUTHS.items()
    for target in truth["restorable"]["targets"]
]


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("samples")
    for path in (*ARCHIVES.glob("*.tar.xz"), *REDUCED.glob("*.tar.xz")):
        unpack_tar(path, home / path.name.removesuffix(".tar.xz"))
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


WHOLE = [case for case, truth in TRUTHS.items() if not truth["backup"]["stripped"]]


@pytest.mark.parametrize("case", WHOLE)
def test_a_healthy_backup_is_ok_to_its_last_page(unpacked: Path, case: str) -> None:
    home = unpacked / case
    named = ("--archive", home / "archive", "--backup", home / "backup")
    checked = pitr_check(*named, "--backup-depth", "pages", "--format", "json")
    found = {(finding["id"], finding["severity"]) for finding in checked.json["findings"]}
    assert (checked.status, checked.json["verdict"]) == (0, "ok"), found
    assert checked.json["restorable"] is True
    assert checked.json["server_major"] == TRUTHS[case]["major"]
    (backup,) = checked.json["backups"]
    assert backup["pages"]["checked"] > 1000


def test_each_chain_of_increments_combines_as_it_did(unpacked: Path) -> None:
    home, truth = unpacked / "incremental_19", TRUTHS["incremental_19"]
    for chain in truth["chains"]:
        backups = [word for each in chain["members"] for word in ("--backup", home / each)]
        named = ("--archive", home / "archive", *backups, "--backup-depth", "pages")
        checked = pitr_check(*named, "--format", "json")
        last = f"{home}/{chain['members'][-1]}"
        about = {f["id"] for f in checked.json["findings"] if f["evidence"].get("backup") == last}
        wanted = "backup_incremental" if chain["combines"] else "backup_chain_missing"
        assert about == ({wanted} if len(chain["members"]) > 1 else set())
        assert checked.status == (0 if chain["combines"] else 2)


@pytest.mark.parametrize("case", TRUTHS)
def test_a_ledger_changes_nothing_but_when_it_was_read(
    unpacked: Path, case: str, tmp_path: Path
) -> None:
    bare = timeless(check(unpacked / case))
    for _ in range(2):
        known = check(unpacked / case, "--ledger", str(tmp_path / "ledger.sqlite"))
        assert timeless(known) == bare


@pytest.mark.parametrize("case", TRUTHS)
def test_no_known_fault_is_told_of(unpacked: Path, case: str) -> None:
    """Nothing in them is of the kinds that the faults reached."""
    found = {finding["id"] for finding in check(unpacked / case)["findings"]}
    assert not {name for name in found if name.startswith("known_fault_")}


@pytest.mark.parametrize(("case", "restore"), CONTRADICTIONS)
def test_what_once_contradicted_the_server_goes_as_it_went(
    unpacked: Path, case: str, restore: dict[str, Any]
) -> None:
    target = restore["target"]
    options = ["--timeline", target["timeline"]] if target["timeline"] else []
    if target["type"] == "xid":
        options += ["--target-xid", target["value"]]
    elif target["type"] == "immediate":
        options += ["--target-immediate"]
    said = check(unpacked / case, *options)["target"]
    if said["outcome"] == "opens" and said["needs"]:
        # The restore ran without what is needed: reading ahead, it died of a file after the stop.
        assert said["needs"] == {"recovery_prefetch": "off"}
        assert restore["fatal"] == check(unpacked / case)["target"]["fatal"]
        return
    assert said["outcome"] == ("fails" if restore["server"] == "failed" else "opens")
    assert (said["fatal"], said["new_timeline"]) == (restore["fatal"], restore["new_timeline"])
    if said["outcome"] == "opens":
        last = datetime.fromisoformat(said["last_transaction"]["time"])
        assert last == datetime.fromisoformat(restore["last_xact_time"])
        assert said["reachable"] is True
