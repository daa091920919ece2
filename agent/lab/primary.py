"""The laboratory's primary: as the seed configures it, plus what the exact truth needs."""

from __future__ import annotations

from typing import Final, LiteralString

from agent.lab.laboratory import Laboratory
from agent.lab.narrator import Narrator

# The laboratory is about WAL, not about disks: nothing of it outlives a crash of the machine.
FOR_SPEED: Final[dict[str, str | int | bool]] = {"fsync": False}
# Every transaction in the WAL is then one that the laboratory knows of, with its commit time.
_FOR_THE_TRUTH: Final[dict[str, str | int | bool]] = {
    "track_commit_timestamp": True,
    "autovacuum": False,
}
MAKE_AGENT_ROLE: Final[LiteralString] = "CREATE ROLE pitr_agent LOGIN IN ROLE pg_monitor;"


def make_primary(
    lab: Laboratory, narrator: Narrator, *, segment_mib: int = 16, **settings: str | int | bool
) -> None:
    """initdb with checksums, archiving with cp, started; `settings` come on top."""
    with narrator.shell("initdb -E UTF8 -D PITR --data-checksums"):
        lab.primary.initdb(segment_mib=segment_mib)
    archiving: dict[str, str | int | bool] = {
        "wal_level": "replica",
        "archive_mode": "on",
        "archive_command": copy_command(lab),
        "max_wal_senders": 5,
        "wal_keep_size": "512MB",
    }
    lab.primary.configure(**{**archiving, **_FOR_THE_TRUTH, **FOR_SPEED, **settings})
    for name in ("archive_mode", "archive_command"):
        narrator.note(f"{name} = '{archiving[name]}'")
    with narrator.shell("pg_ctl start -D PITR"):
        lab.start(lab.primary)


def copy_command(lab: Laboratory) -> str:
    """The seed's archive_command."""
    return f"cp %p {lab.archive}/%f"


def make_agent_role(lab: Laboratory, narrator: Narrator) -> None:
    """The agent's account: pg_monitor is enough."""
    with narrator.sql(MAKE_AGENT_ROLE):
        lab.primary.sql(MAKE_AGENT_ROLE)


def back_up(lab: Laboratory, narrator: Narrator) -> None:
    """A plain base backup with its WAL streamed, as the seed takes it."""
    with narrator.shell("pg_basebackup -D backup_base -F p -Xs"):
        lab.primary.base_backup(lab.backup, "-F", "p", "-Xs")
