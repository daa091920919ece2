"""A look inside the restored cluster with PostgreSQL's own tools; what cannot be done is said.

pg_amcheck and pg_dumpall ask the running server, pg_checksums the files of the stopped one. The
first comes as the drill's superuser and calls C functions alone, the second as the role that reads.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import psycopg

from agent.drill.area import Area
from agent.drill.deadline import Deadline
from agent.drill.disarm import Disarmed
from agent.drill.session import Session
from agent.postgres.installation import Installation
from parsers.files.pg_control import CHECKSUMS_ON, ControlFile
from parsers.sentences import joined, tr
from rules.drill.comparison import Inspection

_OLDEST_PG_AMCHECK: Final = 14
_EVENT_TRIGGERS_MAJOR: Final = 17  # event_triggers = off
_LINES: Final = 3  # of what a tool said: the rest is in its own words, and long
_NAMES: Final = 3  # of databases in one line

# pg_amcheck names them with the schema, not with types: who may create there answers for them.
_CHECKS: Final = ("verify_heapam", "bt_index_check", "bt_index_parent_check", "gin_index_check")
_IMPOSTORS: Final = """
    SELECT p.oid::pg_catalog.regprocedure::text FROM pg_catalog.pg_extension e
    JOIN pg_catalog.pg_proc p ON p.pronamespace = e.extnamespace AND p.proname = ANY(%s)
    WHERE e.extname = 'amcheck' AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
            AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
            AND d.refobjid = e.oid AND d.deptype = 'e')"""
# They fire at CREATE EXTENSION.
_TRIGGERS: Final = """
    SELECT evtname FROM pg_catalog.pg_event_trigger
    WHERE evtenabled <> 'D' AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_extension WHERE extname = 'amcheck') ORDER BY evtname"""


class Tools:
    """The programs of one installation, run against one area as its account."""

    def __init__(self, installation: Installation, area: Area, deadline: Deadline) -> None:
        self.installation = installation
        self._area = area
        self.deadline = deadline
        self._environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}

    def run(
        self,
        name: str,
        passed: str,
        program: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
    ) -> Inspection:
        """One inspection: passed if the program ends well, else what it said. Raises OutOfTime."""
        if not self.installation.has(program):
            return not_done(name, _lacking(self.installation, program))
        status, said = self._run(program, arguments, environment or {})
        if status:
            told = "; ".join(said[:_LINES])
            detail = tr(
                "{program} exited {status}: {told}", program=program, status=status, told=told
            )
            if more := max(len(said) - _LINES, 0):
                detail = tr("{detail} (and {more} more lines)", detail=detail, more=more)
            return Inspection(name=name, result="failed", detail=detail)
        return Inspection(name=name, result="passed", detail=passed)

    def _run(
        self, program: str, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> tuple[int, list[str]]:
        """The exit status, and the lines that it said."""
        self.deadline.require(lambda: tr("before {program}", program=program))
        process = self._area.guardian.start(
            "tool",
            [str(self.installation.program(program)), *arguments],
            options=self._area.account.popen_options(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**self._environment, **environment},
        )
        try:
            out, err = self.deadline.run(
                process.communicate, lambda: tr("while {program} ran", program=program)
            )
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            self._area.guardian.forget("tool")
        return process.returncode, (err or out).decode(errors="replace").strip().splitlines()


def _lacking(installation: Installation, program: str) -> str:
    return tr("{bindir} has no {program}", bindir=installation.bindir, program=program)


def not_done(name: str, why: str) -> Inspection:
    return Inspection(name=name, result="not_done", detail=why)


def dump(tools: Tools, cluster: Disarmed) -> Inspection:
    """Have everything read, and written nowhere."""
    name, reader = "dump", cluster.reader
    if cluster.closed.keys() >= set(cluster.databases):
        return _with_closed(not_done(name, tr("nothing was read")), cluster)
    found = tools.run(
        name, tr("pg_dumpall could read everything"), "pg_dumpall", "-U", reader.user,
        "-l", _open_one(cluster), "-f", "/dev/null", "--lock-wait-timeout=10s", "--no-sync",
        *_without("--exclude-database", cluster.closed), environment=reader.environment,
    )  # fmt: skip
    return _with_closed(found, cluster)


def amcheck(tools: Tools, cluster: Disarmed) -> Inspection:
    """Have tables and indexes checked, where the extension is installed."""
    name, admin = "amcheck", cluster.admin
    if tools.installation.major < _OLDEST_PG_AMCHECK:
        why = tr("PostgreSQL {major} has no pg_amcheck", major=tools.installation.major)
        return not_done(name, why)
    if cluster.closed.keys() >= set(cluster.databases):
        return _with_closed(not_done(name, tr("nothing was looked at")), cluster)
    if not tools.installation.has("pg_amcheck"):
        return not_done(name, _lacking(tools.installation, "pg_amcheck"))
    available, traps = tools.deadline.run(
        lambda: (_has_amcheck(admin, _open_one(cluster)), dict(_traps(cluster))),
        lambda: tr("while connecting to the restored server"),
    )
    if not available:
        why = tr("{bindir} has no extension amcheck", bindir=tools.installation.bindir)
        return not_done(name, why)
    left_out = {**traps, **{database: each.why for database, each in cluster.closed.items()}}
    if left_out.keys() >= set(cluster.databases):
        return _with_closed(not_done(name, _listed(traps)), cluster)
    found = tools.run(
        name, tr("pg_amcheck found tables and B-tree indexes of all databases sound"), "pg_amcheck",
        "-U", admin.user, f"--maintenance-db={_open_one(cluster)}", "--all", "--install-missing",
        *_without("--exclude-database", left_out), environment=admin.environment,
    )  # fmt: skip
    if traps and found.result == "passed":
        others = tr("pg_amcheck found the other databases sound")
        found = not_done(name, joined("; ", (_listed(traps), others)))
    return _with_closed(found, cluster)


def _open_one(cluster: Disarmed) -> str:
    """A database to begin in: the usual one, unless it is closed."""
    usual = cluster.admin.database
    if usual not in cluster.closed:
        return usual
    return next(name for name in cluster.databases if name not in cluster.closed)


def _without(option: str, names: Mapping[str, object]) -> Iterator[str]:
    """In double quotes nothing of a name is a pattern."""
    for name in names:
        quoted = name.replace('"', '""')
        yield f'{option}="{quoted}"'


def _with_closed(found: Inspection, cluster: Disarmed) -> Inspection:
    """Nothing is called sound that was left out."""
    if not cluster.closed or found.result == "failed":
        return found
    damaged = any(each.damaged for each in cluster.closed.values())
    why = _listed({name: each.why for name, each in cluster.closed.items()})
    return replace(
        found, result="failed" if damaged else "not_done",
        detail=tr(
            "could not be made safe to look into: {why}; {detail}", why=why, detail=found.detail
        ),
    )  # fmt: skip


def _listed(reasons: Mapping[str, str]) -> str:
    shown: list[str] = [
        tr("database {name}: {why}", name=name, why=why)
        for name, why in list(reasons.items())[:_NAMES]
    ]
    if len(reasons) > _NAMES:
        shown.append(tr("and {count} more", count=len(reasons) - _NAMES))
    return joined("; ", shown)


def _has_amcheck(session: Session, database: str) -> bool:
    query = "SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'amcheck'"
    with session.connect(database) as connection:
        return connection.execute(query).fetchone() is not None


def _traps(cluster: Disarmed) -> Iterator[tuple[str, str]]:
    """Databases in which pg_amcheck would run what somebody else wrote, and what that is."""
    for name in cluster.databases:
        if name not in cluster.closed:
            try:
                with cluster.admin.connect(name) as connection:
                    why = _trap_in(connection, cluster.admin.major)
            except psycopg.Error as error:
                why = " ".join(str(error).split())
            if why is not None:
                yield name, why


def _trap_in(connection: psycopg.Connection[Any], major: int) -> str | None:
    impostors = [each for (each,) in connection.execute(_IMPOSTORS, [list(_CHECKS)])]
    if impostors:
        return tr("{name} would be called for a function of amcheck", name=impostors[0])
    if major >= _EVENT_TRIGGERS_MAJOR:
        return None
    triggers = [each for (each,) in connection.execute(_TRIGGERS)]
    if not triggers:
        return None
    return tr(
        "CREATE EXTENSION amcheck would fire the event trigger {trigger}, and PostgreSQL "
        "{major} cannot turn them off",
        trigger=triggers[0],
        major=major,
    )


def inspect_stopped(tools: Tools, area: Area, control: ControlFile | None) -> Inspection:
    """What is asked of the files once the server is down."""
    if control is not None and control.data_checksum_version > CHECKSUMS_ON:
        why = tr("data checksums were being turned on or off at the backup")
        return not_done("checksums", why)
    if control is not None and control.data_checksum_version != CHECKSUMS_ON:
        return not_done("checksums", tr("data checksums are not enabled in this cluster"))
    return tools.run(
        "checksums", tr("pg_checksums found every page sound"), "pg_checksums", "--check", "-D",
        str(area.data),
    )  # fmt: skip
