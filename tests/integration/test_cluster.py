"""The servers that all other tests stand on."""

from agent.postgres.installation import Installation
from tests.fix_postgres import NewCluster, need_part
from tests.waiting import wait_until


def test_a_backup_restored_to_a_name_has_the_rows_of_that_moment(
    pg: Installation, new_cluster: NewCluster
) -> None:
    need_part(pg, "pg_basebackup")
    primary = new_cluster(pg)
    archive = primary.home / "archive"
    backup = primary.home / "backup"
    primary.sql("CREATE TABLE t AS SELECT 1 AS n")
    primary.base_backup(backup)
    primary.sql("INSERT INTO t VALUES (2)")
    primary.sql("SELECT pg_create_restore_point('before')")
    primary.sql("INSERT INTO t VALUES (3)")
    primary.stop()

    restored = new_cluster(pg, initdb=False)
    restored.restore_from(
        backup, restore_command=f"cp {archive}/%f %p", recovery_target_name="before",
        recovery_target_action="promote",
    )  # fmt: skip
    with restored.running():  # it takes connections as soon as it is consistent
        wait_until(lambda: restored.sql("SELECT pg_is_in_recovery()") == [(False,)])
        assert restored.sql("SELECT n FROM t ORDER BY n") == [(1,), (2,)]
        assert restored.sql("SHOW archive_mode") == [("off",)]
