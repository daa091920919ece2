"""Draw docs/pictures/check-*.svg: what `pitr-check` prints of thirty backups (make pictures).

A primary whose clock is set (libfaketime) is backed up once a night for a month. Of one copy of its
archive a segment is then lost.

    python -m tests.pictures_check [DIRECTORY]
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from agent.postgres.account import Account, server_account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation, InstallationFor, find_installation
from tests.pictures import MAJOR, SVG
from tests.truth.world import clock_environment

COLUMNS: Final = 100
_PICTURES: Final = Path(__file__).parent.parent / "docs" / "pictures"
_HOME: Final = Path("/tmp/pitr")  # its name is in the pictures
_NIGHTS: Final = 30
_BEGAN: Final = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)  # a Monday
_LOST_AFTER: Final = 11  # nights


def make_month(installation: Installation, account: Account) -> None:
    """A backup a night, and two archives: one of them lacks a segment."""
    clock = _HOME / "clock"
    environment = clock_environment(clock)
    cluster = Cluster(installation, _HOME / "primary", account, environment=environment)
    cluster.initdb(segment_mib=1)
    archive = account.make_directory(_HOME / "whole")
    backups = account.make_directory(_HOME / "backups")
    command = (
        f"test ! -f {archive}/%f && cp %p {archive}/%f.tmp && mv {archive}/%f.tmp {archive}/%f"
    )
    cluster.configure(archive_mode="on", archive_command=command, archive_timeout="1h", fsync=False)
    lost = ""
    with cluster.running():
        cluster.sql("CREATE TABLE orders (id int, note text)")
        for night in range(_NIGHTS):
            at = _BEGAN + timedelta(days=night)
            clock.write_text(f"{(at - datetime.now(UTC)).total_seconds():+.0f}")
            cluster.base_backup(backups / f"{at:%Y-%m-%d}")
            cluster.sql("INSERT INTO orders SELECT n, md5(n::text) FROM generate_series(1, 9000) n")
            if night == _LOST_AFTER:
                cluster.sql("SELECT pg_switch_wal()")
                cluster.sql("INSERT INTO orders SELECT n FROM generate_series(1, 99) n")
                ((lost,),) = cluster.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
                cluster.sql("SELECT pg_switch_wal()")
        cluster.sql("SELECT pg_create_restore_point('before_the_release')")
        cluster.sql("INSERT INTO orders VALUES (1, 'released')")
        cluster.sql("SELECT pg_switch_wal()")
    shutil.copytree(archive, _HOME / "wal")
    (_HOME / "wal" / lost).unlink()


def draw(to: Path, name: str, *lines: str) -> None:
    """Run what is typed, in one or two lines, and draw it with what is printed."""
    program = Path(sys.executable).with_name("pitr-check")
    ran = subprocess.run(
        [str(program), *" ".join(lines).split(), "--color", "always"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not ran.stderr, ran.stderr
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, color_system="256")
        typed = " \\\n      ".join(lines)
        console.print(Text(f"$ pitr-check {typed}", style="bold"))
        for line in ran.stdout.splitlines():
            console.print(Text.from_ansi(line))
    path = to / f"check-{name}.svg"
    path.write_text(console.export_svg(title="pitr-check", code_format=SVG, unique_id="pitr-check"))
    print(path)


def main() -> None:
    to = Path(sys.argv[1]) if len(sys.argv) > 1 else _PICTURES
    to.mkdir(parents=True, exist_ok=True)
    account = server_account()
    _HOME.mkdir(mode=0o755)
    try:
        with InstallationFor(find_installation(MAJOR), account) as installation:
            make_month(installation, account)
        backups = f"--backups {_HOME}/backups"
        draw(to, "thirty", f"--archive {_HOME}/wal {backups}")
        draw(
            to, "plan", f"plan --archive {_HOME}/whole {backups}",
            "--target-name before_the_release --destination /tmp",
        )  # fmt: skip
    finally:
        shutil.rmtree(_HOME)


if __name__ == "__main__":
    main()
