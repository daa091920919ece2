"""Repositories of other tools: what is predicted is what the tools' own restores did.

Every target of every sample was restored by the tool that made it, on a real server. The two ways
are asked as they were then: the tool's own restore, and `barman get-wal` as the restore_command.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.inputs.gather import ReadingOptions, gather
from agent.repositories.sources import RepositorySources
from agent.zones import find_zone
from parsers.lsn import format_lsn, parse_lsn
from rules.case.case import Case
from rules.case.context import Asked, Context
from rules.case.observations import BackupsRead
from rules.model.goal import read_goal
from rules.model.repository import RepositoriesRead, Way
from rules.model.target import Target
from rules.verdict.check import load_catalogue
from rules.verdict.report import Report, give_verdict
from tests.fix_check import SCHEMA, timeless
from tests.fix_repositories import PATHS, Sample, Samples, look_of

PROGRAM = Path(sys.executable).with_name("pitr-check")
# What differs for a reason of the sample's own: its restore to the end ran before the last segment
# was archived; rows that the primary had are in a .partial that is still being streamed.
LATER = {("bc_gzip_16", "redo_done"), ("bm_stream_15", "reachable")}


@dataclass(frozen=True)
class Asking:
    """One group of targets that were restored alike."""

    sample: Sample
    kind: str  # the truth's key
    numbers: tuple[int, ...]  # of the repositories used
    targets: list[dict[str, Any]]


def askings(sample: Sample) -> list[Asking]:
    found = []
    for kind in ("targets", "targets_by_get_wal", "without_repo_option"):
        told = sample.truth.get(kind, [])
        for number in sorted({each.get("repo") or 0 for each in told}):
            numbers = (number,) if number else sample.numbers
            same = [each for each in told if (each.get("repo") or 0) == number]
            found.append(Asking(sample, kind, numbers, same))
    return found


def read(asking: Asking, label: str | None) -> Case:
    opened = tuple(asking.sample.open(number, label) for number in asking.numbers)
    return gather(
        [], [], None,
        context=Context(depth="records"),
        backup_depth="files",
        reading=ReadingOptions(workers=1),
        repositories=RepositorySources(opened),
    )  # fmt: skip


def judged(case: Case, told: dict[str, Any], kind: str) -> Report:
    """The report on one target, asked as the tool was."""
    timeline = told.get("timeline") or "default"
    given = timeline not in ("default", "latest")
    target = Target(
        type="none" if told["type"] == "latest" else told["type"],
        value=told["value"],
        timeline=timeline if given else "latest",
    )
    asked = Asked(target=target, goal=read_goal(target, find_zone=find_zone))
    via = "restore_command" if kind == "targets_by_get_wal" else "tool"
    tools = case.get(RepositoriesRead)
    assert tools is not None
    chosen = RepositoriesRead(repositories=tools.repositories, chosen=told.get("backup"))
    context = Context(depth="records", asked=asked, way=Way(via=via, timeline_given=given))
    return give_verdict(case.set(context).having(chosen), load_catalogue(), datetime.now(UTC))


def differences(sample: Sample, told: dict[str, Any], report: Report) -> list[str]:
    """Where a prediction is not what the restore did."""
    facts, end = report.target, report.target.prediction
    done = end.redo_done_lsn if end else None
    outcome = "fails" if told["outcome"] == "restore_refused" else told["outcome"]
    pairs = {
        "outcome": (facts.outcome, outcome),
        "redo_done": (format_lsn(done) if done is not None else None, told.get("redo_done")),
        "new_timeline": (end.new_timeline if end else None, told.get("new_timeline")),
        "reachable": (facts.reachable, told.get("reachable", facts.reachable)),
    }
    is_last = told["type"] == "latest"
    return [
        f"{name}: {found} instead of {wanted}"
        for name, (found, wanted) in pairs.items()
        if found != wanted
        and not (name == "reachable" and wanted is None)
        and not (is_last and (sample.case, name) in LATER)
    ]


@pytest.mark.parametrize("case", PATHS)
def test_every_restore_went_as_predicted(
    samples: Samples, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = samples(case)
    for name, value in sample.environment.items():
        monkeypatch.setenv(name, value)
    wrong, count = [], 0
    for asking in askings(sample):
        several = case.startswith("br_upgraded")  # two clusters: the backup tells which is meant
        cases: dict[str | None, Case] = {}
        for told in asking.targets:
            label = told.get("backup") if several else None
            if label not in cases:
                cases[label] = read(asking, label)
            report = judged(cases[label], told, asking.kind)
            count += 1
            wrong += [
                f"{told.get('backup')} {told['type']} {told['value']}: {each}"
                for each in differences(sample, told, report)
            ]
    assert count and wrong == []


@pytest.mark.parametrize("case", PATHS)
def test_gaps_damage_and_backups_are_those_of_the_sample(
    samples: Samples, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = samples(case)
    for name, value in sample.environment.items():
        monkeypatch.setenv(name, value)
    missing = sample.truth.get("missing") or []
    for number in sample.numbers:
        asking = Asking(sample, "targets", (number,), [])
        report = give_verdict(read(asking, None), load_catalogue(), datetime.now(UTC))
        lost = missing.get(str(number), []) if isinstance(missing, dict) else missing
        sequence = report.archives[0].sequence
        assert sequence is not None and report.scan is not None
        facts = report.case.get(BackupsRead)
        assert facts is not None and not facts.found.unreadable
        oldest = min(each.label.start_segment for each in facts.found.backups)
        names = [gap.first_name for gap in sequence.gaps]
        assert names == [name for name in lost if name >= oldest]
        damaged = [each.segment for each in report.scan.damaged]
        assert damaged == list(sample.truth.get("damaged") or [])


def run(sample: Sample, *options: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        [PROGRAM, *options, "--workers", "1", "--format", "json"],
        capture_output=True, text=True, env=sample.environment, check=False,
    )  # fmt: skip
    document = json.loads(done.stdout) if done.stdout else {}
    if document:
        jsonschema.validate(document, SCHEMA)
    return done.returncode, document, done.stderr


def test_the_command_names_the_backup_and_what_to_paste(samples: Samples) -> None:
    sample = samples("br_bundle_block_18")
    before = look_of(sample.root)
    full = sample.open().labels()[0]
    status, document, _ = run(
        sample, "--repository", sample.url(), "--backup", full, "--target-name", "p1",
        "--action", "promote",
    )  # fmt: skip
    (backup,), target = document["backups"], document["target"]
    assert (status, backup["label"], backup["kind"], backup["parents"]) == (0, full, "full", [])
    assert (backup["repository"], target["best_backup"], target["via"]) == (1, full, "tool")
    assert target["settings"] == (
        f"pgbackrest --stanza=main --set={full} --repo=1 --type=name --target=p1"
        " --target-timeline=1 --target-action=promote --archive-mode=off restore\n"
    )
    assert look_of(sample.root) == before


def test_the_other_way_is_told_where_it_differs(samples: Samples) -> None:
    sample = samples("bm_gap_16")
    labels = sample.open().labels()
    options = ("--repository", sample.url(), "--backup", labels[0], "--target-immediate")
    _, document, _ = run(sample, *options)
    assert (document["target"]["reachable"], document["target"]["other_via"]) == (True, None)
    status, document, _ = run(sample, "--repository", sample.url(), "--backup", labels[0])
    target = document["target"]
    assert (status, target["outcome"], target["via"]) == (2, "fails", "tool")
    assert "is listed in xlog.db and is not there" in target["fatal"]
    assert target["other_via"]["outcome"] == "opens"
    assert target["other_via"]["reachable"] is False


def test_two_repositories_complete_each_other(samples: Samples) -> None:
    sample = samples("br_two_repos_15")
    both = [option for n in (1, 2) for option in ("--repository", sample.url(n))]
    status, document, _ = run(sample, *both)
    assert (status, len(document["archives"])) == (1, 2) or status == 0
    assert document["archives"][0]["gaps"][0]["first"] == "00000001000000000000001C"
    assert document["target"]["reachable"] is True
    status, document, _ = run(sample, *both, "--repo", "1")
    assert (status, document["target"]["reachable"]) == (2, False)


def test_without_the_key_content_is_unknown_and_not_damaged(samples: Samples) -> None:
    sample = samples("wg_zstd_sodium_gap_18")
    closed = Sample(sample.case, sample.root, {})
    status, document, _ = run(closed, "--repository", sample.url())
    assert document["archives"][0]["gaps"][0]["first"] == "000000010000000000000013"
    assert {each["kind"] for each in document["archives"][0]["damaged"]} <= {"encrypted"}
    assert status in (2, 3)
    assert document["restorable"] is None


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("--stanza", "prod"), 64, "no stanza 'prod' there: it has main"),
        (("--repo", "2"), 64, "--repo 2: the repositories there are: 1"),
        (("--backup", "20200101-000000F"), 64, "no such backup in the repository: it has 2026"),
        (("--stanza", "main", "--server", "main"), 64, "give one of them"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    samples: Samples, options: tuple[str, ...], status: int, said: str
) -> None:
    sample = samples("br_damaged_16")
    found, _, line = run(sample, "--repository", sample.url(), *options)
    assert (found, line.count("\n")) == (status, 1)
    assert said in line and "Traceback" not in line


def test_options_of_a_repository_need_one(samples: Samples) -> None:
    found, _, line = run(samples("br_damaged_16"), "--archive", "/nowhere", "--stanza", "main")
    assert (found, line) == (64, "pitr-check: --stanza is for --repository URL: name one\n")


def test_a_tools_own_configuration_says_where_it_is_and_how_it_is_read(
    samples: Samples, tmp_path: Path
) -> None:
    sample = samples("br_two_repos_15")
    config = tmp_path / "pgbackrest.conf"
    config.write_text(
        f"[global]\nrepo1-path={sample.url(1)}\nrepo2-path={sample.url(2)}\n"
        f"repo2-cipher-type=aes-256-cbc\nrepo2-cipher-pass={sample.truth['cipher_pass']['2']}\n[main]\n"
    )
    closed = Sample(sample.case, sample.root, {})  # nothing in the environment
    named = ("--repository", sample.url(1), "--repository", sample.url(2), "--now", NOW)
    _, by_url, _ = run(sample, *named)
    _, by_config, _ = run(closed, "--pgbackrest", str(config), "--stanza", "main", "--now", NOW)
    assert timeless(by_config) == timeless(by_url)
    status, _, line = run(closed, "--pgbackrest", str(config), "--stanza", "prod")
    assert (status, line.count("\n")) == (64, 1) and "no stanza 'prod' there: it has main" in line


NOW = "2026-11-29T00:00:00Z"


def ask(sample: Sample, subcommand: str, *options: str) -> dict[str, Any]:
    urls = [option for n in sample.numbers for option in ("--repository", sample.url(n))]
    done = subprocess.run(
        [PROGRAM, subcommand, *urls, *options, "--format", "json"],
        capture_output=True, text=True, env=sample.environment, check=False,
    )  # fmt: skip
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("case", ["br_two_repos_15", "bm_gap_16", "wg_zstd_sodium_gap_18"])
def test_what_happened_is_found_in_a_repository(samples: Samples, case: str) -> None:
    sample = samples(case)
    found = ask(sample, "find", "--limit", "500", "--workers", "2")
    oldest = min(each["lsn"] for each in found["happenings"])
    marks = {
        each["value"]
        for each in sample.truth["marks"]
        if each["type"] == "name" and parse_lsn(each["lsn_then"]) > parse_lsn(oldest)
    }
    lost = int(found["wal"]["missing"] != [])  # a restore point may lie in what is missing
    named = {each["name"] for each in found["happenings"] if each["kind"] == "restore_point"}
    assert named and len(marks - named) <= lost and found["wal"]["unread"] == []


def test_what_a_repository_must_keep_is_for_its_tool_to_delete(samples: Samples) -> None:
    sample = samples("br_damaged_16")
    told = ask(sample, "retention", "--keep", "1")
    kept = {each["label"] for each in told["backups"] if each["kept"]}
    newest = max(sample.truth["backups"], key=lambda each: each["started_at"])
    assert kept == {newest["label"], *(newest["reference"] or ())}
    assert any("only its tool may delete: pgbackrest expire" in note for note in told["notes"])
