"""A drill from another tool's repository, by our own reader: rows are those of the tool's restore.

Each backup of a sample was restored by its tool to several targets, and the rows were counted. Here
the drill restores the same backup to one of them, without the tool.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.config.file import load_config
from agent.drill_schedule.process import run_drill
from parsers.repository.pgbackrest import parse_manifest
from rules.drill.records import DrillsFacts
from tests.fix_repositories import PATHS, Sample, Samples, look_of
from tests.fix_tools import PATIENCE_SECONDS, need

PROGRAM = Path(sys.executable).with_name("pitr-check")
_OURS = {
    "bm_damaged_16", "bm_gap_16", "bm_incr_18", "br_bundle_block_18", "br_timelines_16",
    "br_two_repos_15", "wg_zstd_sodium_gap_18",
}  # fmt: skip
CASES = [
    pytest.param(case, marks=() if case in _OURS else pytest.mark.campaign)
    for case in PATHS
    if case != "bc_gzip_16"  # a target of it tells no rows
]


def drill(sample: Sample, *options: str) -> tuple[int, dict[str, Any]]:
    _need_server(sample)
    done = subprocess.run(
        [PROGRAM, *options, "--workers", "1", "--drill", "--format", "json"],
        capture_output=True, text=True, env=sample.environment, check=False,
        timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert "Traceback" not in done.stderr and done.stdout, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, document["drill"]


def _need_server(sample: Sample) -> None:
    """One that the program finds by itself; the others come with the environment."""
    if "15" in sample.case.split("_"):  # of two clusters, too
        need("Debian's PostgreSQL 15")


def reached(sample: Sample) -> dict[str, dict[str, Any]]:
    """Of each backup one target that its tool's restore reached: the last with most rows."""
    found: dict[str, dict[str, Any]] = {}
    told = [*sample.truth["targets"], *sample.truth.get("targets_by_get_wal", ())]
    for each in told:
        label = each.get("backup")
        usable = each.get("reachable") and each.get("rows") and each["type"] not in ("latest",)
        best = found.get(label, {"rows": 0})
        if label and usable and each.get("repo") in (None, 1) and each["rows"] >= best["rows"]:
            found[label] = each
    return found


def options_of(told: dict[str, Any]) -> list[str]:
    value = [] if told["value"] is None else [str(told["value"])]
    options = ["--backup", told["backup"], f"--target-{told['type']}", *value]
    if told.get("timeline") not in (None, "default", "latest"):
        options += ["--timeline", str(told["timeline"])]
    return options


@pytest.mark.parametrize("case", CASES)
def test_the_rows_are_those_of_the_tools_own_restore(
    samples: Samples, case: str, tmp_path: Path, installations: object
) -> None:
    sample = samples(case)
    before = look_of(sample.root)
    probes = tmp_path / "probes.yaml"
    targets = reached(sample)
    assert targets
    for label, told in targets.items():
        count = (
            f"- {{database: template1, sql: SELECT count(*) FROM t, expected: {told['rows']}}}\n"
        )
        probes.write_text(count)
        _, made = drill(
            sample, "--repository", sample.url(), *options_of(told), "--probes", str(probes)
        )
        where = f"{label} {told['type']} {told['value']}: {made}"
        assert (made["outcome"], made["agrees"]) == ("paused", True), where
        assert made["probes"][0]["got"] == str(told["rows"]), where
        found = {each["name"]: each["result"] for each in made["inspections"]}
        assert found["dump"] == "passed" and found["checksums"] == "passed", where
    assert look_of(sample.root) == before


def test_an_encrypted_repository_is_restored_and_no_option_holds_its_passphrase(
    samples: Samples, installations: object, tmp_path: Path
) -> None:
    sample = samples("br_two_repos_15")
    urls = [word for n in sample.numbers for word in ("--repository", sample.url(n))]
    label = sample.open(2).labels()[-1]
    status, made = drill(sample, *urls, "--repo", "2", "--backup", label, "--target-immediate")
    assert (status, made["outcome"], made["agrees"]) == (0, "paused", True)
    assert sample.truth["cipher_pass"]["2"] not in json.dumps(made)


def test_the_agent_drills_a_cluster_that_has_a_repository_alone(
    samples: Samples, installations: object, tmp_path: Path
) -> None:
    """Its passphrase is in a file of its own, and the child has it in its environment."""
    sample = samples("br_two_repos_15")
    _need_server(sample)
    secret, config = tmp_path / "secret", tmp_path / "pitr.yaml"
    secret.write_text(sample.truth["cipher_pass"]["2"])
    config.write_text(
        "clusters:\n- name: one\n  drill: {schedule: 0 3 * * 0, at: latest}\n  repositories:\n"
        f"  - {{url: {sample.url(2)}, stanza: main, passphrase_file: {secret}}}\n"
    )
    (cluster,) = load_config(config).resolved()
    record = asyncio.run(run_drill(cluster, DrillsFacts(records=()), None))
    assert (record.outcome, record.agrees) == ("promoted", True), record


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def test_a_damaged_file_of_the_backup_ends_the_copy_by_its_name(
    samples: Samples, installations: object, tmp_path: Path
) -> None:
    whole = samples("br_bundle_block_18")
    shutil.copytree(whole.root, tmp_path / whole.case, symlinks=True)
    sample = Sample(whole.case, tmp_path / whole.case, whole.truth)
    label = sample.open().labels()[0]
    folder = Path(sample.url(), "backup", "main", label)
    files = parse_manifest((folder / "backup.manifest").read_bytes()).files
    bundled = next(each for each in files if each.bundle and each.path.startswith("pg_data/base/"))
    flip(folder / "bundle" / str(bundled.bundle), bundled.offset + bundled.stored_bytes // 2)
    status, made = drill(
        sample, "--repository", sample.url(), "--backup", label, "--target-immediate"
    )
    assert made["outcome"] == "not_run" and bundled.path in made["reason"]
    assert "the backup is not whole" in made["reason"] and status == 3
