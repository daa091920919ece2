"""jsonlog (15 and later): one object a line; also as CloudNativePG wraps csvlog's fields.

Follows write_jsonlog in src/backend/utils/error/jsonlog.c.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from parsers.errors import Unparsed
from parsers.log.format import ForeignLine, LogItem, LogRecord, parse_number
from parsers.log.message_catalogue import Language
from parsers.sentences import tr


class JsonReader:
    """jsonlog (15 and later): one object a line; also as CloudNativePG wraps csvlog's fields."""

    begun = 0
    holds = False

    def read(self, line: str) -> Iterator[LogItem]:
        if not line.strip():
            return
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            torn = line.lstrip().startswith("{")
            yield (
                Unparsed(text=line, reason=tr("not a JSON object"))
                if torn
                else ForeignLine(text=line)
            )
        elif isinstance(value.get("record"), dict):
            yield _json_record(value["record"])
        elif "message" in value and "error_severity" in value:
            yield _json_record(value)
        else:
            yield ForeignLine(text=line)

    def close(self) -> Iterator[LogItem]:
        yield from ()

    def use(self, languages: Iterable[Language]) -> None:
        """Severities are never translated here."""


def _json_record(value: Mapping[str, Any]) -> LogRecord:
    def text(*keys: str) -> str | None:
        found = next((value[key] for key in keys if value.get(key)), None)
        return None if found is None else str(found)

    pid = text("pid", "process_id")
    return LogRecord(
        severity=text("error_severity") or "LOG",
        message=text("message") or "",
        stamp=text("timestamp", "log_time"),
        pid=parse_number(pid),
        backend_type=text("backend_type"),
        session=bool(text("user", "user_name", "remote_host", "connection_from")),
        user=text("user", "user_name"),
        database=text("dbname", "database_name"),
        xid=parse_number(text("txid", "transaction_id") or "0"),
        detail=text("detail"),
        hint=text("hint"),
        context=text("context"),
        statement=text("statement", "query"),
    )


def looks_like_json(line: str) -> bool:
    """Tell whether a line is a jsonlog record."""
    return line.startswith("{") and '"error_severity"' in line
