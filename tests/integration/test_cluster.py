"""The servers that all other tests stand on."""

from agent.postgres.installation import Installation
from tests.fix_layouts import promoted
from tests.fix_postgres import NewCluster, need_part


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
    with promoted(restored):  # it takes connections before it comes to the target
        assert restored.sql("SELECT n FROM t ORDER BY n") == [(1,), (2,)]
        assert restored.sql("SHOW archive_mode") == [("off",)]
