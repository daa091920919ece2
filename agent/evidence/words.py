"""What goes into a statement of a document: bounded, and without a secret.

Statements are kept for years and handed to others. A document's own rules keep passwords of stores
out of it; commands and queries that a person wrote may hold anything, so what looks like a secret
in them is put out of sight here, and of a drill's probes only whether they held is kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

LIST_MAX: Final = 200  # entries of one list: the first half and the last
TEXT_MAX: Final = 20_000  # characters of one text
HIDDEN: Final = "***"

_NAMES: Final = (
    r"[\w.-]*(?:password|passwd|passphrase|passfile|secret|token|credential|api[_-]?key"
    r"|access[_-]?key|account[_-]?key|private[_-]?key|cipher[_-]?pass|signature|[_-]pass|[_-]sas)"
    r"[\w.-]*"
)
_VALUE: Final = r"(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.|'')*'|[^\s\"'&;,]+)"
_PATTERNS: Final = (
    # scheme://user:password@host
    (re.compile(r"(?<=://)[^/\s@'\"]*:[^/\s'\"]*(?=@)"), HIDDEN),
    # PGPASSWORD=…, password: …, ?sig=…
    (
        re.compile(rf"(?i)\b({_NAMES}|(?<=[?&])sig)(['\"]?\s*[=:]\s*){_VALUE}"),
        rf"\1\2{HIDDEN}",
    ),
    # --password …
    (re.compile(rf"(?i)(--{_NAMES})(\s+){_VALUE}"), rf"\1\2{HIDDEN}"),
    # an Authorization header
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    # an access key of AWS
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), HIDDEN),
)
# Of a probe: the query and its answers are what the database holds.
_OF_A_PROBE: Final = frozenset({"database", "holds", "asked"})


def without_secrets(text: str) -> str:
    """The text, with what looks like a secret put out of sight.

    >>> without_secrets("PGPASSWORD=hunter2 psql postgresql://me:hunter2@host/db")
    'PGPASSWORD=*** psql postgresql://***@host/db'
    """
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def to_be_kept(document: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(what is kept of a verdict, which of its lists were shortened and how long they were)."""
    shortened: list[dict[str, Any]] = []
    kept = {key: _kept(value, key, shortened) for key, value in document.items()}
    kept["findings"] = [_finding(each) for each in kept.get("findings") or ()]
    if kept.get("drill"):
        drill = kept["drill"]
        drill["probes"] = [
            {name: probe[name] for name in probe if name in _OF_A_PROBE}
            for probe in drill["probes"]
        ]
    return kept, shortened


def _finding(finding: dict[str, Any]) -> dict[str, Any]:
    if finding["id"] != "drill_probe_failed":
        return finding
    database = finding["evidence"].get("database")
    said = f"a probe of the database {database} did not give what was expected"
    return finding | {"summary": said, "evidence": {"database": database}}


def _kept(value: Any, path: str, shortened: list[dict[str, Any]]) -> Any:
    if isinstance(value, str):
        return without_secrets(value[:TEXT_MAX])
    if isinstance(value, Mapping):
        return {key: _kept(each, f"{path}.{key}", shortened) for key, each in value.items()}
    if isinstance(value, list | tuple):
        if len(value) > LIST_MAX:
            shortened.append({"list": path, "entries": len(value)})
            value = [*value[: LIST_MAX // 2], *value[-LIST_MAX // 2 :]]
        return [_kept(each, f"{path}[]", shortened) for each in value]
    return value
