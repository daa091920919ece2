"""`check-config --try`: what is wrong is said, and what it says to type mends it.

The server is a cluster of Debian's packages with its stock pg_hba.conf, the files are the server's
own, with the modes that it gives them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from agent.postgres.account import Account
from tests.fix_check import Archived
from tests.fix_debian import DebianCluster, NewDebianCluster
from tests.fix_postgres import NewCluster
from tests.fix_tools import PATIENCE_SECONDS, lack
from tests.unpack import unpack_tar
from tests.waiting import reload, wait_archived

ROLE = Path(__file__).parents[2] / "packaging" / "sql" / "role.sql"
PROGRAM = (
    sys.executable, "-c", "import sys; from agent.cli.agent import main; sys.exit(main())",
)  # fmt: skip
STRANGER = 65534
REPOSITORIES = Path(__file__).parents[1] / "data" / "repositories"


def try_config(
    directory: Path, cluster: dict[str, object], *, prefix: tuple[str, ...] = (), **more: object
) -> tuple[int, str]:
    """Exit status, and all that was printed."""
    config = directory / "pitr.yaml"
    config.write_text(yaml.safe_dump({"clusters": [{"name": "lab", **cluster}], **more}))
    directory.chmod(0o755)
    config.chmod(0o644)
    ran = subprocess.run(
        [*prefix, *PROGRAM, "check-config", "--try", "--config", config],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert "Traceback" not in ran.stderr
    return ran.returncode, ran.stdout + ran.stderr


def typed(said: str, begins: str) -> str:
    """The line to type that begins so."""
    lines = [line.strip().removeprefix("type: ").strip() for line in said.splitlines()]
    (found,) = [line for line in lines if line.startswith(begins)]
    return found


def as_account(account: Account) -> tuple[str, ...]:
    """Prefix: the account's number, and root's eyes for our own environment alone."""
    if not account.drop:
        return ()
    return (
        "setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups",
    )  # fmt: skip


def by_name(cluster: DebianCluster, role: str) -> str:
    return f"host={cluster.sockets} user={role} dbname=postgres"


@pytest.mark.needs("a readable checkout")
def test_the_agent_logs_in_on_a_stock_pg_hba(
    new_debian_cluster: NewDebianCluster, tmp_path_factory: pytest.TempPathFactory, account: Account
) -> None:
    server = new_debian_cluster()
    directory = server.account.make_directory(server.home / "agent")
    cluster = {"dsn": by_name(server, "pitr_agent")}

    def tried() -> tuple[int, str]:
        return try_config(directory, cluster, prefix=as_account(account))

    server.run("psql", "-X", "-q", "-h", str(server.sockets), "-d", "postgres", "-f", str(ROLE))
    status, said = tried()
    assert status == 3 and 'Peer authentication failed for user "pitr_agent"' in said
    ident = typed(said, "pg_ident.conf, a line:").partition(":  ")[2]
    entry = typed(said, "pg_hba.conf, above all others:").partition(":  ")[2]
    _prepend(server.configuration / "pg_ident.conf", ident)
    _prepend(server.configuration / "pg_hba.conf", entry)
    assert typed(said, "psql -c") == "psql -c 'SELECT pg_reload_conf()'"
    reload(server)
    status, said = tried()
    assert status == 0, said
    assert "as pitr_agent, a member of pg_monitor; 9 of 9 questions answered" in said


def _prepend(path: Path, line: str) -> None:
    path.write_text(f"{line}\n{path.read_text()}")


def test_a_role_that_may_not_see_all(new_cluster: NewCluster, tmp_path: Path) -> None:
    server = new_cluster(16)
    server.sql("CREATE ROLE eyes LOGIN")
    dsn = f"host={server.sockets} user=eyes dbname=postgres"
    status, said = try_config(tmp_path, {"dsn": dsn})
    assert status == 3 and "permission denied" in said
    grant = typed(said.split("WRONG")[1], "psql -c").partition("'")[2].partition("'")[0]
    server.sql(grant)  # type: ignore[arg-type]
    status, said = try_config(tmp_path, {"dsn": dsn})
    assert status == 0 and "as eyes, a member of pg_monitor" in said


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    status, said = try_config(tmp_path, {"dsn": f"host={tmp_path} user=x"})
    assert status == 3 and "No such file or directory" in said and "pg_lsclusters" in said


def test_each_source_is_read(archived: Archived, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("2026-01-01 00:00:00.000 UTC [1] LOG:  starting PostgreSQL 16.4\n")
    cluster = {
        "archives": [{"url": str(archived.archive)}], "backups": {"url": str(archived.backup)},
        "log": str(log),
    }  # fmt: skip
    status, said = try_config(tmp_path, cluster, ledger=str(tmp_path / "ledger.sqlite"))
    newest = archived.segments[-1].name
    assert status == 0, said
    assert f"{len(archived.segments)} segments, the newest of them {newest}, which was read" in said
    assert "1 backup, the newest" in said and "which was read" in said and "can be written" in said


def test_what_belongs_under_another_key_is_named(archived: Archived, tmp_path: Path) -> None:
    unpack_tar(REPOSITORIES / "bm_gap_16.tar.xz", tmp_path / "tool")
    barman = tmp_path / "tool" / "barman"
    cluster = {
        "archives": [{"url": str(archived.backup)}],
        "backups": {"url": str(archived.archive)},
    }
    status, said = try_config(tmp_path, cluster)
    assert status == 3
    assert f"is a base backup: name it with backups: {{url: {archived.backup}}}" in said
    assert f"holds archived WAL: name it with archives: {{url: {archived.archive}}}" in said
    status, said = try_config(tmp_path, {"archives": [{"url": str(barman)}]})
    assert status == 3
    assert f"is a repository of Barman: name it with repositories: {{url: {barman}}}" in said


@pytest.mark.needs("root", "a readable checkout")
def test_the_modes_that_postgresql_gives_keep_others_out(
    new_cluster: NewCluster, account: Account
) -> None:
    """WAL is 0600 and backups 0700: a group of the server's is of no use, but with initdb -g."""
    stranger = (
        "setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", f"--groups={account.gid}",
    )  # fmt: skip
    if subprocess.run([*stranger, sys.executable, "-c", "import yaml"], check=False).returncode:
        lack("an environment that all may enter", "make env outside of /root", in_ci=False)
    outcomes = {}
    for group in (False, True):
        server = new_cluster(16, initdb=False)
        server.initdb(segment_mib=1, options=("-g",) if group else ())
        archive = account.make_directory(server.home / "archive")
        server.configure(archive_mode="on", archive_command=f"cp %p {archive}/%f", fsync=False)
        server.start()
        server.base_backup(server.home / "backup")
        server.sql("SELECT pg_switch_wal()")
        server.sql("CHECKPOINT")
        for path in (server.home, archive):
            path.chmod(0o750)
        wait_archived(server)
        cluster = {
            "archives": [{"url": str(archive)}], "backups": {"url": str(server.home / "backup")},
        }  # fmt: skip
        config = server.home.parent / f"config{group}"
        config.mkdir()
        outcomes[group] = try_config(config, cluster, prefix=stranger)
        if not group:
            status, said = outcomes[group]
            assert status == 3 and said.count("WRONG") == 2 and "Permission denied" in said
            assert f"User={account.name}" in typed(said.split("backups")[0], "systemctl edit")
            own = try_config(config, cluster, prefix=as_account(account))
            assert own[0] == 0, own[1]
    assert outcomes[True][0] == 0, outcomes[True][1]


def test_valid_is_not_said_of_paths_that_do_not_exist(
    archived: Archived, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from agent.cli import agent

    config = tmp_path / "pitr.yaml"
    cluster = {"name": "lab", "archives": [{"url": "/not/mounted"}],
               "backups": {"url": str(archived.backup)}}  # fmt: skip
    config.write_text(yaml.safe_dump({"clusters": [cluster]}))
    assert agent.main(["check-config", "--config", str(config)]) == 0  # it may be mounted later
    said = capsys.readouterr().out
    assert ": valid" not in said and "/not/mounted: No such file or directory" in said
    status, tried = try_config(tmp_path, {"archives": [{"url": "/not/mounted"}]})
    assert status == 3 and "there is no such directory" in tried and "ls -ld /not/mounted" in tried
    (archived.archive / "x").unlink(missing_ok=True)
    cluster["archives"] = [{"url": str(archived.archive)}]
    config.write_text(yaml.safe_dump({"clusters": [cluster]}))
    assert agent.main(["check-config", "--config", str(config)]) == 0
    assert ": valid: 1 cluster: lab" in capsys.readouterr().out
