"""Debian and Ubuntu keep the configuration outside the data directory: what a restore lacks then.

The cluster is pg_createcluster's; the server that is restored is really started, or refuses.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.postgres.cluster import Cluster, ServerFailed
from agent.watch.sources import find_sources
from tests.fix_check import Archived, pitr_check
from tests.fix_debian import DebianCluster, NewDebianCluster
from tests.integration.test_watch_foresight import foreseen
from tests.waiting import wait_archived
from tests.watching import findings_of

LACKS = "this backup has no postgresql.conf: copy it, pg_hba.conf, pg_ident.conf and conf.d"


@dataclass(kw_only=True)
class Debians:
    """A server, a backup of it, and a directory that this was copied to."""

    primary: DebianCluster
    backup: Path
    restored: Cluster  # that pg_ctl starts

    @property
    def archive(self) -> Path:
        return self.primary.home / "archive"

    def remedy(self, number: int = 0) -> str:
        """What to type, with the test's place for /etc/postgresql."""
        found = findings_of("restore_foreseen", self.restored.data)[number]
        assert found.remedy
        return found.remedy.partition("packages: ")[2].replace(
            "/etc/postgresql/15/main", str(self.primary.configuration)
        )

    def type(self, command: str) -> None:
        """In the data directory: what the checks are asked with here does not name it."""
        options = {**self.primary.account.popen_options(), "cwd": self.restored.data}
        command = command.replace("the data directory", ".")
        subprocess.run(["bash", "-c", command], check=True, **options)


@pytest.fixture
def debians(
    new_debian_cluster: NewDebianCluster, short_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Debians]:
    archive = short_directory / "d0" / "archive"
    primary = new_debian_cluster(archive_mode="on", archive_command=f"cp %p {archive}/%f")
    monkeypatch.setenv("PG_CLUSTER_CONF_ROOT", str(primary.root))
    primary.account.make_directory(archive)
    backup = primary.home / "backup"
    primary.base_backup(backup)
    switch(primary)
    restored = Cluster(primary.installation, short_directory / "r", primary.account)
    primary.run("/bin/cp", "-a", str(backup), str(restored.data))
    restored.configure(
        restore_command=f"cp {archive}/%f %p", archive_mode="off",
        unix_socket_directories=str(restored.sockets),
    )  # fmt: skip
    restored.signal()
    yield Debians(primary=primary, backup=backup, restored=restored)
    restored.stop("immediate")


def switch(primary: DebianCluster) -> None:
    """End the segment, and wait until it is archived."""
    primary.sql("SELECT pg_switch_wal()")
    wait_archived(primary)


def check(archive: Path, backup: Path) -> dict[str, object]:
    document = pitr_check("--archive", archive, "--backup", backup, "--format", "json").json
    target: dict[str, object] = document["target"]
    assert document["restorable"], document
    return target


def test_the_block_to_paste_says_that_there_is_no_configuration(
    debians: Debians, tmp_path: Path
) -> None:
    target = check(debians.archive, debians.backup)
    said = str(target["needs"]["configuration"])  # type: ignore[index]
    assert said.startswith(LACKS)
    assert "/etc/postgresql/15/main" in said and "/usr/lib/postgresql/15/bin" in said
    settings = str(target["settings"])
    comment = [line for line in settings.splitlines() if line.startswith("# ")]
    assert " ".join(line.removeprefix("# ") for line in comment) == said
    assert settings.startswith(comment[0]) and max(map(len, comment)) <= 98
    text = pitr_check("--archive", debians.archive, "--backup", debians.backup).out
    assert f"    {comment[0]}\n" in text
    tar = debians.primary.home / "tar"
    debians.primary.base_backup(tar, "-Ft")
    switch(debians.primary)
    assert check(debians.archive, tar)["needs"]["configuration"] == said  # type: ignore[index]
    (tar / "base.tar").write_bytes((tar / "base.tar").read_bytes()[: -(1 << 20)])
    cut = pitr_check("--archive", debians.archive, "--backup", tar, "--format", "json").json
    assert "configuration" not in cut["target"]["needs"]  # it might have been in the rest


def test_a_backup_that_has_one_lacks_nothing(archived: Archived) -> None:
    def needs() -> object:
        target = archived.check().json["target"]
        assert "#" not in str(target["settings"])
        return target["needs"]

    assert needs() == {}
    main = archived.backup / "postgresql.conf"
    text = main.read_text()
    main.write_text("# all is default\n")
    assert needs() == {}
    main.write_text(text)


def test_a_directory_without_configuration_will_not_start(debians: Debians) -> None:
    restored = debians.restored
    lines = foreseen(restored.data)
    assert [line.partition(" in ")[0] for line in lines] == [
        "there is no postgresql.conf", "there is no pg_hba.conf",
    ]  # fmt: skip
    with pytest.raises(ServerFailed):
        restored.start()
    assert "could not access the server configuration file" in restored.log.read_text()
    debians.type(debians.remedy())
    assert foreseen(restored.data) == []
    assert find_sources(restored.data).settings_known
    restored.start()
    assert find_sources(restored.data).postmaster_pid is not None
    assert debians.primary.is_running()


def test_a_copy_that_leads_to_the_old_server(debians: Debians) -> None:
    """With the old one's data_directory pg_ctl starts that, whatever it was told."""
    restored, configuration = debians.restored, debians.primary.configuration
    debians.type(f"cp -r {configuration}/* {restored.data}")
    (line,) = foreseen(restored.data)
    assert f"data_directory = {debians.primary.data}" in line and "not on this one" in line
    with pytest.raises(ServerFailed):
        restored.start()  # it runs already: the lock file keeps it
    assert f'in data directory "{debians.primary.data}"' in restored.log.read_text()
    (found,) = findings_of("restore_foreseen", restored.data)
    debians.type(str(found.remedy))
    assert foreseen(restored.data) == []
    restored.start()


def test_a_copy_without_what_it_includes(debians: Debians) -> None:
    restored = debians.restored
    debians.type(debians.remedy())
    shutil.rmtree(restored.data / "conf.d")
    (line,) = foreseen(restored.data)
    assert "include_dir" in line and "conf.d: there is no such thing" in line
    with pytest.raises(ServerFailed):
        restored.start()
    assert 'could not open configuration directory "' in restored.log.read_text()


def test_a_cluster_of_debian_s_is_known_by_its_directory(debians: Debians) -> None:
    """Restored in place: pg_ctlcluster starts it with what lies in /etc."""
    primary = debians.primary
    primary.stop()
    shutil.rmtree(primary.data)
    primary.run("/bin/cp", "-a", str(debians.restored.data), str(primary.data))
    (primary.data / "recovery.signal").unlink()
    primary.signal()
    found = find_sources(primary.data)
    assert found.settings_known and found.settings["archive_mode"] == "off"
    assert found.prefix == "%m [%p] %q%u@%d "
    assert found.log is None  # what it holds is of the server before
    assert foreseen(primary.data) == []
    primary.start()
    assert find_sources(primary.data).log == primary.log
    primary.stop()
    assert find_sources(primary.data).log == primary.configuration / "log"


def test_the_log_that_lies_in_the_directory(debians: Debians) -> None:
    """`pg_ctl -l DIR/server.log`, and the server has ended; the backup brought an older log."""
    data = debians.restored.data
    old = data / "logfile"
    old.write_text("of the server before\n")
    os.utime(old, (time.time() - 60,) * 2)  # files written at once have one time
    (data / "recovery.signal").unlink()
    debians.restored.signal()
    assert find_sources(data).log is None
    debians.restored.log = data / "server.log"
    with pytest.raises(ServerFailed):
        debians.restored.start()
    assert find_sources(data).log == data / "server.log"
