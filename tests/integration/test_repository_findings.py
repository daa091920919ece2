"""What a tool believes beside what lies there: each difference is said, and no other."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fix_repositories import Sample, Samples, check_repository

PROGRAM = Path(sys.executable).with_name("pitr-check")
IDS = {
    "repository_backup_gone", "repository_backup_unlisted", "repository_wal_gone",
    "repository_info_copy", "repository_copies_differ", "repository_page_errors",
}  # fmt: skip


def newest(sample: Sample) -> Path:
    """The folder of the newest backup."""
    label = sample.open().labels()[-1]
    return next(path for path in sample.root.rglob(label) if path.is_dir())


def without_its_folder(sample: Sample) -> None:
    shutil.rmtree(newest(sample))


def without_its_data(sample: Sample) -> None:
    """Barman's meta/ still has the info."""
    folder = newest(sample)
    meta = folder.parents[1] / "meta" / f"{folder.name}-backup.info"
    if not meta.exists():
        meta.parent.mkdir(exist_ok=True)
        shutil.copy(folder / "backup.info", meta)
    shutil.rmtree(folder)


def without_its_entry(sample: Sample) -> None:
    folder = newest(sample)
    (folder.parent / f"{folder.name}_backup_stop_sentinel.json").unlink()
    an_hour_ago = time.time() - 3600 * 2
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (an_hour_ago, an_hour_ago))


def with_half_an_info(sample: Sample) -> None:
    path = Path(sample.url(), "backup", "main", "backup.info")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def with_two_contents(sample: Sample) -> None:
    folder = next(Path(sample.url(), "archive").rglob("0000000100000000"))
    first = sorted(path for path in folder.iterdir() if "-" in path.name)[-1]
    name, dash, rest = first.name.partition("-")
    shutil.copy(first, folder / f"{name}{dash}{'0' * 40}{rest[40:]}")


def with_page_errors(sample: Sample) -> None:
    """As pgBackRest writes it after a backup with them, its own checksum included."""
    for name in ("backup.info", "backup.info.copy"):
        path = Path(sample.url(), "backup", "main", name)
        text = re.sub(r'("backup-error"):false', r"\1:true", path.read_text())
        assert '"backup-error":true' in text
        sections: dict[str, list[str]] = {}
        for line in text.splitlines():
            if line.startswith("[") and "=" not in line:
                sections.setdefault(current := line.strip("[]"), [])
            elif line and not line.startswith("backrest-checksum="):
                key, _, value = line.partition("=")
                sections[current].append(f"{json.dumps(key)}:{value}")
        whole = ",".join(
            f'"{name}":{{{",".join(keys)}}}' for name, keys in sorted(sections.items())
        )
        checksum = hashlib.sha1(f"{{{whole}}}".encode()).hexdigest()
        text = re.sub(r'(backrest-checksum=)"[0-9a-f]+"', rf'\1"{checksum}"', text)
        path.write_text(text)


def as_it_is(sample: Sample) -> None:
    pass


CASES: list[tuple[str, Callable[[Sample], None], set[str]]] = [
    ("br_timelines_16", as_it_is, set()),
    ("bm_incr_18", as_it_is, set()),
    ("wg_zstd_sodium_gap_18", as_it_is, set()),
    ("br_timelines_16", without_its_folder, {"repository_backup_gone"}),
    ("bm_incr_18", without_its_data, {"repository_backup_gone"}),
    ("wg_zstd_sodium_gap_18", without_its_folder, {"repository_backup_gone"}),
    ("wg_zstd_sodium_gap_18", without_its_entry, {"repository_backup_unlisted"}),
    ("bm_gap_16", as_it_is, {"repository_wal_gone"}),
    ("br_timelines_16", with_half_an_info, {"repository_info_copy"}),
    ("br_timelines_16", with_two_contents, {"repository_copies_differ"}),
    ("br_timelines_16", with_page_errors, {"repository_page_errors"}),
]


@pytest.mark.parametrize(("case", "damage", "said"), CASES)
def test_what_the_tool_believes_is_held_against_what_is_there(
    samples: Samples,
    tmp_path: Path,
    case: str,
    damage: Callable[[Sample], None],
    said: set[str],
) -> None:
    whole = samples(case)
    shutil.copytree(whole.root, tmp_path / case, symlinks=True)
    sample = Sample(case, tmp_path / case, whole.truth)
    damage(sample)
    done = check_repository(
        PROGRAM, "--repository", sample.url(), "--depth", "names", "--format", "json",
        environment=sample.environment,
    )  # fmt: skip
    assert "Traceback" not in done.stderr and done.stdout, done.stderr
    found = json.loads(done.stdout)["findings"]
    assert {each["id"] for each in found} & IDS == said
    assert all(each["remedy"] for each in found if each["id"] in IDS)
