"""The contract of `pitr-watch --format json` as a schema, and what holds lines against it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

SCHEMA = json.loads(
    (Path(__file__).parent.parent / "docs" / "schemas" / "pitr-watch.schema.json").read_text()
)
_DEFINITIONS = SCHEMA["$defs"]
_OWN = ("summary", "unparsed", "prediction", "foreseen", "stalled", "disagreement")


def check_lines(lines: list[dict[str, Any]]) -> None:
    """Every line is one of the schema's, and the summary is the last and the only one."""
    for line in lines:
        name = line["event"] if line["event"] in _OWN else "logged"
        validator_of(name).validate(line)
    assert [line["event"] for line in lines].index("summary") == len(lines) - 1


@cache
def validator_of(name: str) -> jsonschema.Draft202012Validator:
    """For one kind of line: what is wrong is then said of that kind, not of each."""
    schema = {"$schema": SCHEMA["$schema"], "$ref": f"#/$defs/{name}", "$defs": _DEFINITIONS}
    return jsonschema.Draft202012Validator(schema)
