"""What postgresql.conf includes: the same in every form of a backup, beside a real server."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from agent.backups.find import read_any_backup
from agent.backups.zone import server_zone
from agent.postgres.cluster import Cluster, ServerFailed
from agent.postgres.installation import Installation
from rules.model.facts import BackupFacts, BackupsFacts
from tests.fix_check import EXEMPLARY, pitr_check
from tests.fix_layouts import compress_file
from tests.fix_postgres import NewCluster

# Under names of every kind: only include_dir minds how a file is called.
FILES = {
    "conf.d/10-more.conf": "timezone = 'Asia/Tokyo'\nmax_connections = 33\n",
    "conf.d/20-odd.conf": "include '../extra/odd.settings'\n",
    "conf.d/.hidden.conf": "max_connections = 34\n",
    "conf.d/README": "max_connections = 35\n",
    "extra/odd.settings": "include 'deeper'\nmax_worker_processes = 7\n",
    "extra/deeper": "hot_standby = off\n",
    "empty.d/": "",
}
MAIN = """
include_dir = 'conf.d'
include_if_exists = 'absent.conf'
include_dir 'empty.d'
"""


def quiet_cluster(pg: Installation, new_cluster: NewCluster) -> Cluster:
    """One whose archiving nothing finds fault with."""
    cluster = new_cluster(pg, start=False)
    command = EXEMPLARY.format(cluster.home / "archive")
    cluster.configure(archive_command=command, archive_timeout="1h")
    cluster.start()
    return cluster


def configure(cluster: Cluster, main: str) -> None:
    for name, text in FILES.items():
        path = cluster.data / name
        cluster.account.make_directory(path if name.endswith("/") else path.parent)
        if not name.endswith("/"):
            path.write_text(text)
            cluster.account.own(path)
    with (cluster.data / "postgresql.conf").open("a") as file:
        file.write(main)


def two_forms(cluster: Cluster) -> dict[str, Path]:
    """The backup as pg_basebackup writes it."""
    taken = {name: cluster.home / name for name in ("plain", "tar")}
    cluster.base_backup(taken["plain"])
    cluster.base_backup(taken["tar"], "-Ft")
    return taken


def all_forms(cluster: Cluster) -> dict[str, Path]:
    """The same, and as people keep it."""
    taken = {**two_forms(cluster), **{name: cluster.home / name for name in ("gz", "packed")}}
    shutil.copytree(taken["tar"], taken["gz"])
    for path in list(taken["gz"].glob("*.tar")):
        compress_file(path, ".gz")
    taken["packed"].mkdir()
    base = taken["packed"] / "base.tar"
    subprocess.run(["tar", "cf", base, "-C", cluster.home, "plain"], check=True)
    return taken


def settings_of(facts: BackupFacts) -> dict[str, str]:
    assert facts.settings is not None
    return {name: each.setting for name, each in facts.settings.settings.items()}


def in_force(cluster: Cluster) -> dict[str, str]:
    """What the server made of its files: the last one wins."""
    rows = cluster.sql("SELECT lower(name), setting FROM pg_file_settings ORDER BY seqno")
    return dict(rows)


def test_includes_are_the_same_in_every_form(
    pg: Installation, new_cluster: NewCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = new_cluster(pg, start=False)
    configure(cluster, MAIN)
    with cluster.running():
        theirs = in_force(cluster)
        backups = all_forms(cluster)
    assert theirs["max_connections"] == "33" and theirs["hot_standby"] == "off"
    for form, backup in backups.items():
        facts = read_any_backup(backup, "files")
        ours = settings_of(facts)
        assert {name: ours[name] for name in theirs} == theirs, form
        assert (facts.unread_settings, facts.unread_files) == ((), ()), form
        found = BackupsFacts(backups=(facts,), unreadable={}, depth="files")
        assert server_zone(found)[0].key == "Asia/Tokyo", form
        checked = pitr_check("--backup", backup, "--archive", cluster.home / "archive")
        assert "backup_settings_unread" not in checked.out, form
    monkeypatch.chdir(backups["plain"])
    assert read_any_backup(Path(), "files").unread_settings == ()


# What the server of the same files says at its start, and what we say of them.
ODD: dict[str, tuple[str, str | None, str]] = {
    "absent": ("include 'gone.conf'", "could not open configuration file", "absent"),
    "no folder": ("include_dir 'gone.d'", "could not open configuration directory", "absent"),
    "refused": ("this is no setting = 1", "syntax error", "PostgreSQL refuses it"),
    "endless": ("include 'postgresql.conf'", "recursion", "nesting depth"),
    "outside": ("include_if_exists '/nowhere/at/all.conf'", None, "it is not in the backup"),
    "above": ("include_if_exists '../beside.conf'", None, "it is not in the backup"),
}


@pytest.mark.pg("== 16")
@pytest.mark.parametrize("case", ODD)
def test_what_the_server_refuses_or_has_elsewhere(
    pg: Installation, new_cluster: NewCluster, case: str
) -> None:
    """A file beside the backup is not the one beside the data directory, and is not read."""
    statement, server_says, said = ODD[case]
    cluster = quiet_cluster(pg, new_cluster)
    (cluster.home / "beside.conf").write_text("max_connections = 36\n")
    with (cluster.data / "postgresql.conf").open("a") as file:
        file.write(f"\n{statement}\n")
    backups = two_forms(cluster)
    cluster.stop()
    if server_says is None:
        cluster.start()
    else:
        with pytest.raises(ServerFailed):
            cluster.start()
        assert server_says in cluster.log.read_text()
    archive = cluster.home / "archive"
    for form, backup in backups.items():
        facts = read_any_backup(backup, "files")
        (unread,) = facts.unread_settings
        assert said in unread.reason and not facts.unread_files, form
        assert unread.outside is (server_says is None), form
        if facts.settings is not None:
            assert facts.settings.value("max_connections") != "36", form
        checked = pitr_check("--backup", backup, "--archive", archive, "--format", "json")
        assert checked.status == (0 if server_says is None else 3), form
        found = {each["id"]: each["severity"] for each in checked.json["findings"]}
        severity = found["backup_settings_unread"]
        assert severity == ("info" if server_says is None else "unknown"), form


@pytest.mark.pg("== 16")
def test_at_depth_label_the_settings_of_a_tar_are_unknown(
    pg: Installation, new_cluster: NewCluster
) -> None:
    """Of a plain one they are read at every depth: the file is at hand."""
    cluster = quiet_cluster(pg, new_cluster)
    backups = two_forms(cluster)
    archive = cluster.home / "archive"
    for form, backup in backups.items():
        statuses = {
            depth: pitr_check(
                "--backup", backup, "--archive", archive, "--backup-depth", depth
            ).status
            for depth in ("label", "files")
        }
        assert statuses == {"label": 0 if form == "plain" else 3, "files": 0}, form
