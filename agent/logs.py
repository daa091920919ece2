"""The agent's own log, on stderr: logfmt for people and collectors, or JSON lines."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Final

FORMATS: Final = ("logfmt", "json")
LEVELS: Final = ("debug", "info", "warn", "error")


class _Logfmt(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return " ".join(f"{key}={_quoted(value)}" for key, value in _fields(record).items())


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _json(_fields(record))


def _fields(record: logging.LogRecord) -> dict[str, str]:
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    fields = {
        "ts": at,
        "level": record.levelname.lower(),
        "component": record.name,
        "msg": record.getMessage(),
    }
    if record.exc_info:  # of a bug alone: what a user can fix is told in a line
        fields["error"] = "".join(traceback.format_exception(*record.exc_info)).rstrip()
    return fields


def _quoted(value: str) -> str:
    """As a JSON string where a space, a quote or a control character would break the line."""
    plain = value.isprintable() and value and not any(char in value for char in ' "=\\')
    return value if plain else _json(value)


def _json(value: object) -> str:
    """JSON in which only printed characters stand as they are: no terminal is given an order."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


def configure_logging(level: str, log_format: str) -> None:
    """Send every record of this process to stderr in one format."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if log_format == "json" else _Logfmt())
    logging.basicConfig(
        level={"warn": "WARNING"}.get(level, level.upper()), handlers=[handler], force=True
    )
    for chatty in ("httpx", "httpcore"):  # they log whole URLs and headers, which may hold secrets
        logging.getLogger(chatty).setLevel(logging.WARNING)
