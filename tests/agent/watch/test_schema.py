"""docs/schemas/pitr-watch.schema.json is what pitr-watch prints, of every log that is kept here."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from agent.cli.watch import main
from parsers.log.messages import TABLE
from parsers.log.recovery_events import NAMES
from tests.parsers.catalogues import kept_log
from tests.watch_schema import SCHEMA, check_lines, validator_of

LOGS = Path(__file__).parents[2] / "parsers" / "logs"
FILES = sorted(path for path in LOGS.iterdir() if path.suffix in (".log", ".csv", ".json"))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("log", [kept_log(f) for f in FILES if f.name != "truth.json"])
def test_every_kept_log_gives_lines_of_the_schema(
    capsys: pytest.CaptureFixture[str], log: Path
) -> None:
    main(["--log", str(log), "--once", "--format", "json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    check_lines(lines)
    for line in lines[:3]:
        jsonschema.validate(line, SCHEMA)  # and the schema as a whole takes it for one of its kinds


def test_the_schema_knows_every_event_and_field() -> None:
    logged = SCHEMA["$defs"]["logged"]["properties"]
    assert set(logged["event"]["enum"]) == NAMES
    fields = {name for message in TABLE for name in (*message.fields, *message.constants)}
    assert fields <= logged.keys()


def test_the_schema_refuses_what_breaks_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--log", str(LOGS / "missing_middle_target.log"), "--once", "--format", "json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    summary = lines[-1]
    assert summary["outcome"] == "failed"
    validator = validator_of("summary")
    assert validator.is_valid(summary)
    assert not validator.is_valid({**summary, "reached_target": None})
    assert not validator.is_valid({**summary, "outcome": "perhaps"})
    assert not validator.is_valid({**summary, "more": 1})
    assert not validator.is_valid({k: v for k, v in summary.items() if k != "cause"})
    with pytest.raises(ValueError, match="summary"):
        check_lines(lines[:-1])
    with pytest.raises(AssertionError):
        check_lines([*lines, summary])
