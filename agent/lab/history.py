"""The seed's history, and the exact truth about it: xid, LSN and time of all that it marks.

The truth has two witnesses, and they must agree: the server while it lives (transaction ids, and
commit times by track_commit_timestamp) and pg_waldump on the archive after the disaster.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, LiteralString

from agent.lab.errors import LabFailed
from agent.lab.laboratory import Laboratory
from agent.lab.narrator import Narrator
from agent.lab.waldump import Commit, commits_in, read_records, restore_points_in
from agent.postgres.cluster import Cluster
from parsers.lsn import format_lsn, parse_lsn
from parsers.sentences import tr
from parsers.values import dataclass

RESTORE_POINT: Final = "punto_laboratorio"
ROWS: Final = ((1, "registro_1"), (2, "registro_2"))  # what every restore must give back
LATE_ROW: Final = "registro_3"
ROW_HEADINGS: Final = ("id", "nombre", "creado_en")

CREATE_TABLE: Final[LiteralString] = """\
CREATE TABLE laboratorio_pitr (
    id SERIAL PRIMARY KEY,
    nombre TEXT NOT NULL,
    creado_en TIMESTAMP DEFAULT now()
);"""
INSERT_ROWS: Final[LiteralString] = """\
INSERT INTO laboratorio_pitr (nombre, creado_en) VALUES
('registro_1', '2025-07-08 07:45:00'),
('registro_2', '2025-07-08 07:50:00');"""
INSERT_LATE_ROW: Final[LiteralString] = (
    "INSERT INTO laboratorio_pitr (nombre) VALUES ('registro_3');"
)
SELECT_ROWS: Final[LiteralString] = "SELECT * FROM laboratorio_pitr ORDER BY id;"
SELECT_NOW: Final[LiteralString] = (
    "SELECT now(), pg_walfile_name(pg_current_wal_lsn()), pg_current_wal_lsn();"
)
MAKE_RESTORE_POINT: Final[LiteralString] = "SELECT pg_create_restore_point('punto_laboratorio');"
SWITCH_WAL: Final[LiteralString] = "SELECT pg_switch_wal();"


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A transaction as the living server told it."""

    xid: int
    at: datetime  # pg_xact_commit_timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What was written down at the primary up to the restore point."""

    rows: Noted  # the INSERT of registro_1 and registro_2
    target_time: datetime  # now() after it
    restore_point_end_lsn: int  # what pg_create_restore_point() returned
    restore_point_between: tuple[datetime, datetime]  # the server's clock before and after


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The truth about the history, from both witnesses."""

    rows: Commit
    target_time: datetime
    restore_point_lsn: int  # start of the record
    restore_point_between: tuple[datetime, datetime]
    late: Commit


def write_history(primary: Cluster, narrator: Narrator) -> Notes:
    """The seed's two rows, the moment to come back to, the restore point, the WAL switch."""
    with narrator.sql(INSERT_ROWS):
        rows = _insert(primary, INSERT_ROWS)
    narrator.note(_said(rows))
    with narrator.sql(SELECT_NOW):
        now, segment, lsn = primary.sql(SELECT_NOW)[0]
    narrator.result(("now", "pg_walfile_name", "pg_current_wal_lsn"), [(now, segment, lsn)])
    with narrator.sql(MAKE_RESTORE_POINT):
        before, end_lsn, after = primary.sql(
            "SELECT clock_timestamp(), pg_create_restore_point('punto_laboratorio'),"
            " clock_timestamp()"
        )[0]
    narrator.note(tr("its record ends at {lsn}", lsn=end_lsn))
    switch_wal(primary, narrator)
    with narrator.sql(SELECT_ROWS):
        table = primary.sql(SELECT_ROWS)
    narrator.result(ROW_HEADINGS, table)
    return Notes(
        rows=rows,
        target_time=now,
        restore_point_end_lsn=parse_lsn(end_lsn),
        restore_point_between=(before, after),
    )


def write_late_row(primary: Cluster, narrator: Narrator) -> Noted:
    """The row that no restore may bring back."""
    with narrator.sql(INSERT_LATE_ROW):
        late = _insert(primary, INSERT_LATE_ROW)
    narrator.note(_said(late))
    return late


def switch_wal(primary: Cluster, narrator: Narrator) -> None:
    """Close the current segment, so that it is archived now."""
    with narrator.sql(SWITCH_WAL):
        primary.sql(SWITCH_WAL)


def _insert(primary: Cluster, statement: LiteralString) -> Noted:
    with primary.connect() as connection:
        with connection.transaction():
            connection.execute(statement)
            row = connection.execute("SELECT pg_current_xact_id()::xid::text::int8").fetchone()
        assert row is not None
        committed = connection.execute(
            "SELECT pg_xact_commit_timestamp(%s::text::xid)", (str(row[0]),)
        ).fetchone()
        assert committed is not None
        return Noted(xid=row[0], at=committed[0])


def _said(noted: Noted) -> str:
    return tr("transaction {xid}, committed {at}", xid=noted.xid, at=noted.at.isoformat(" "))


def establish_marks(lab: Laboratory, notes: Notes, late: Noted) -> Marks:
    """Find in the archive what was noted at the primary. Raises LabFailed if they disagree."""
    commits: dict[int, Commit] = {}
    points: dict[str, int] = {}
    for segment in lab.archived_segments():
        records = list(read_records(lab.primary, segment))
        commits |= {commit.xid: commit for commit in commits_in(records)}
        points |= dict(restore_points_in(records))
    marks = Marks(
        rows=_confirmed(notes.rows, commits),
        target_time=notes.target_time,
        restore_point_lsn=_confirmed_point(points, notes.restore_point_end_lsn),
        restore_point_between=notes.restore_point_between,
        late=_confirmed(late, commits),
    )
    if not marks.rows.at < marks.target_time < marks.late.at:
        raise LabFailed(tr("the machine's clock moved backwards during the history"))
    return marks


def _confirmed(noted: Noted, commits: dict[int, Commit]) -> Commit:
    commit = commits.get(noted.xid)
    if commit is None:
        raise LabFailed(
            tr("pg_waldump finds no commit of transaction {xid} in the archive", xid=noted.xid)
        )
    if commit.at != noted.at:
        raise LabFailed(
            tr(
                "the server says that {xid} committed at {at}, pg_waldump {found}",
                xid=noted.xid,
                at=noted.at,
                found=commit.at,
            )
        )
    return commit


def _confirmed_point(points: dict[str, int], end_lsn: int) -> int:
    lsn = points.get(RESTORE_POINT)
    if lsn is None or lsn >= end_lsn:
        raise LabFailed(
            tr(
                "pg_waldump finds no {name} before {lsn} in the archive",
                name=RESTORE_POINT,
                lsn=format_lsn(end_lsn),
            )
        )
    return lsn
