"""The user's own questions to the restored cluster: SQL, and the answer that is expected.

    --probe 'SELECT count(*) FROM orders = 1200'

    - database: shop                         # probes.yaml; postgres, unless told
      sql: SELECT max(placed_at) > now() - interval '1 day' FROM orders
      expected: t

Answers are compared as psql -At prints them: columns apart by |, rows by line ends.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import psycopg
import yaml
from psycopg import pq

from agent.drill.session import Session
from parsers.sentences import tr
from rules.drill.comparison import Probe

_KEYS: Final = frozenset({"database", "sql", "expected"})


def parse_probe(text: str) -> Probe:
    """Read `SQL=expected`, apart by the last equals sign. Raises ValueError with one line."""
    sql, equals, expected = text.rpartition("=")
    if not equals or not sql.strip():
        raise ValueError(
            tr("{text!r}: write 'SQL=expected', as 'SELECT count(*) FROM t=42'", text=text)
        )
    return Probe(database="postgres", sql=sql.strip(), expected=expected.strip())


def read_probes(path: Path) -> tuple[Probe, ...]:
    """Read a file of probes. Raises ValueError with one line."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        why = tr("{path}: cannot be read: {reason}", path=path, reason=error.strerror)
        raise ValueError(why) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(document, list) or not document:
        raise ValueError(
            tr("{path}: expected a list of probes, each with sql and expected", path=path)
        )
    return tuple(
        _read_entry(entry, tr("{path}: probe {number}", path=path, number=number))
        for number, entry in enumerate(document, 1)
    )


def _read_entry(entry: object, where: str) -> Probe:
    if not isinstance(entry, dict) or not {"sql", "expected"} <= entry.keys() <= _KEYS:
        raise ValueError(
            tr("{where}: expected sql, expected and, if need be, database", where=where)
        )
    expected = entry["expected"]
    if isinstance(expected, bool):  # YAML's reading of `t` is text, of `true` is not
        expected = "t" if expected else "f"
    return Probe(
        database=str(entry.get("database", "postgres")),
        sql=str(entry["sql"]),
        expected=str(expected).strip(),
    )


def ask(probe: Probe, reader: Session) -> Probe:
    """The probe with its answer, in a transaction that cannot be made to write from inside."""
    try:
        with reader.connect(probe.database) as connection:
            connection.execute("BEGIN TRANSACTION READ ONLY")
            return _ask(probe, connection.pgconn)
    except psycopg.Error as error:
        return replace(probe, error=_one_line(str(error)))


def _ask(probe: Probe, connection: pq.abc.PGconn) -> Probe:
    """In the server's own text form: nothing is converted on the way."""
    result = connection.exec_(probe.sql.encode())
    if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        return replace(probe, error=_one_line(result.error_message.decode("utf-8", "replace")))
    rows = (
        "|".join(
            (result.get_value(row, column) or b"").decode("utf-8", "replace")
            for column in range(result.nfields)
        )
        for row in range(result.ntuples)
    )
    return replace(probe, got="\n".join(rows).strip())


def _one_line(text: str) -> str:
    return " ".join(text.split())
