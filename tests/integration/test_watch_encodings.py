"""Restores of servers that are not in UTF-8: their logs, in every format, are read without loss."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agent.postgres.account import Account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from tests.fix_tools import need, need_program
from tests.integration.restores import paused, promoted, watch
from tests.waiting import wait_archived, wait_logged, wait_until

pytestmark = pytest.mark.pg("== 15")
# locale, its charset and its source; the server's encoding; what a client says in it
CASES = (
    ("es_ES", "ISO-8859-1", "LATIN1", "ñandú"),
    ("ja_JP", "EUC-JP", "EUC_JP", "表ソ漢字"),
    ("ru_RU", "KOI8-R", "KOI8R", "привет"),
)


def make_locale(directory: Path, source: str, charset: str) -> dict[str, str]:
    """Compile a locale of this charset; the environment of a server that runs in it."""
    localedef = need_program("localedef")
    need("charmaps")
    name = f"{source}.{charset}"
    made = subprocess.run(
        [localedef, "-i", source, "-f", charset, "--no-archive", directory / name],
        capture_output=True,
    )
    assert made.returncode in (0, 1), made.stderr  # 1: warnings
    return {"LOCPATH": str(directory), "LC_ALL": name, "LANGUAGE": ""}


@pytest.mark.parametrize(("source", "charset", "encoding", "said"), CASES)
def test_a_restore_in_another_encoding(
    pg: Installation, account: Account, short_directory: Path,
    source: str, charset: str, encoding: str, said: str,
) -> None:  # fmt: skip
    need("messages of PostgreSQL 15")
    environment = make_locale(short_directory, source, charset)
    primary = Cluster(pg, short_directory / "p", account, environment=environment)
    archive = account.make_directory(short_directory / "archive")
    primary.run(
        "initdb", "-D", str(primary.data), "-U", "postgres", "-A", "trust", "--no-sync",
        "--wal-segsize=1", f"--locale={source}.{charset}", "-E", encoding,
    )  # fmt: skip
    primary.configure(
        listen_addresses="", unix_socket_directories=str(primary.sockets), fsync=False,
        archive_mode="on", archive_command=f"cp %p {archive}/%f",
    )  # fmt: skip
    with primary.running():
        primary.base_backup(primary.home / "backup")
        primary.sql("SELECT pg_create_restore_point('here')")
        primary.sql("SELECT pg_switch_wal()")
        wait_archived(primary)
    restored = Cluster(pg, short_directory / "r", account, environment=environment)
    restored.restore_from(
        primary.home / "backup", restore_command=f"cp {archive}/%f %p", fsync=False,
        recovery_target_name="here", log_statement="all", logging_collector=True,
        log_destination="csvlog,jsonlog,stderr", log_filename="server.log",
    )  # fmt: skip
    with restored.running():
        wait_until(lambda: paused(restored))
        with restored.connect() as connection:
            connection.execute(f"SELECT '{said}'")  # type: ignore[call-overload]
        restored.sql("SELECT pg_wal_replay_resume()")
        wait_until(lambda: promoted(restored))
        restored.sql("SELECT 'the last'")
        logs = [restored.data / "log" / f"server.{suffix}" for suffix in ("log", "csv", "json")]
        wait_logged(logs, "the last")
        for log in logs:
            check(log, said.encode(charset))


def check(log: Path, said: bytes) -> None:
    data = log.read_bytes()
    assert said in data
    with pytest.raises(UnicodeDecodeError):
        data.decode()
    lines, status = watch("--log", str(log), "--once")
    assert [line for line in lines if line["event"] == "unparsed"] == []
    summary = lines[-1]
    assert (summary["outcome"], summary["reached_target"], status) == ("promoted", True, 0)
    assert summary["stop"]["name"] == "here" and summary["new_timeline"] == 2
    assert summary["redo_start_lsn"] and summary["consistent_lsn"] and summary["missing_files"]
