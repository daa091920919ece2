"""The sound evidence that faults are put into: made once by a real server, never written to."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from agent.postgres.account import Account, server_account
from agent.postgres.cluster import Cluster, ServerFailed
from agent.postgres.installation import Installation, InstallationFor
from tests.fix_postgres import list_servers
from tests.fix_tools import PATIENCE_SECONDS
from tests.histories import keep_one_database
from tests.truth.run import place

MAJOR: Final = 15  # Debian's, of which all of PostgreSQL's programs are there
WITH_READERS: Final = (15, 16, 18)  # majors of which there is a pg_waldump
WITH_VERIFIER: Final = (15, 16)  # and a pg_verifybackup: the wheel's of 18 crashes
USUAL_MIB: Final = 16  # of a segment
# Of so many segments' WAL between two switches: they are nearly empty, half full, and full.
_ROUNDS: Final = (0.002, 0.6, 0.97, 0.02, 1.25, 0.25, 0.004, 0.75)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """An archive, a plain and a tar backup of it, and what a restore of them does."""

    home: Path
    account: Account
    installation: Installation
    archive: Path
    plain: Path
    tar: Path
    first: str  # the first segment that the plain backup does not carry
    segment_bytes: int

    @property
    def major(self) -> int:
        return self.installation.major

    @property
    def usual(self) -> bool:
        return self.segment_bytes == USUAL_MIB << 20

    def restore(self, archive: Path, backup: Path | None = None) -> str | None:
        """Restore to the end of WAL with a real server: where redo ended; None: it failed."""
        home = Path(tempfile.mkdtemp(prefix="r", dir=self.home))
        home.chmod(0o755)
        cluster = Cluster(self.installation, home / "c", self.account)
        try:
            cluster.restore_from(
                backup or self.plain, restore_command=f"cp {archive}/%f %p", fsync=False
            )
            cluster.start()
            _wait_until_promoted(cluster)
        except (ServerFailed, psycopg.OperationalError):
            return None
        finally:
            cluster.stop("immediate")
            text = "\n".join(cluster.log_lines())
            shutil.rmtree(home)
        done = re.search(r"redo done at (\S+)", text)
        return done[1] if done else None


def _wait_until_promoted(cluster: Cluster) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while cluster.sql("SELECT pg_is_in_recovery()")[0][0]:
        if time.monotonic() > deadline:
            raise TimeoutError("it is still in recovery")
        time.sleep(0.02)


@contextlib.contextmanager
def ground(major: int = MAJOR, segment_mib: int = USUAL_MIB) -> Iterator[Ground]:
    """Make it, and remove it."""
    account = server_account()
    with place(account) as home, InstallationFor(list_servers()[major], account) as installation:
        cluster = Cluster(installation, home / "c", account)
        archive = account.make_directory(home / "archive")
        backups = account.make_directory(home / "backups")
        cluster.initdb(segment_mib=segment_mib)
        cluster.configure(
            fsync=False, archive_mode="on", archive_command=f"cp %p {archive}/%f",
            autovacuum=False,
        )  # fmt: skip
        with cluster.running():
            keep_one_database(cluster)
            cluster.sql("CREATE TABLE t AS SELECT generate_series(1, 30000) AS n")
            cluster.sql("CREATE TABLE filled (t text)")
            cluster.sql("ALTER TABLE filled ALTER t SET STORAGE PLAIN")
            for kind in ("plain", "tar"):
                cluster.base_backup(backups / kind, f"--format={kind}")
            for segments in _ROUNDS:
                _write(cluster, int(segments * segment_mib * 1000))
            cluster.stop()
        carried = max(path.name for path in (backups / "plain" / "pg_wal").glob("0*"))
        first = min(path.name for path in archive.iterdir() if path.name[:24] > carried)
        shutil.rmtree(home / "c")
        subprocess.run(["chmod", "-R", "a+rX", str(archive), str(backups)], check=True)
        yield Ground(
            home=home, account=account, installation=installation, archive=archive,
            plain=backups / "plain", tar=backups / "tar", first=first,
            segment_bytes=segment_mib << 20,
        )  # fmt: skip


def _write(cluster: Cluster, kilobytes: int) -> None:
    cluster.sql("INSERT INTO t SELECT generate_series(1, %s)", 200)
    cluster.sql(
        "INSERT INTO filled SELECT repeat(n::text, 7500 / length(n::text))"
        " FROM generate_series(1, %s) n",
        kilobytes // 8,
    )
    cluster.sql("UPDATE t SET n = n + 1 WHERE n < 50")
    cluster.sql("SELECT pg_switch_wal()")
