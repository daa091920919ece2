"""Any piece of a log, as somebody may paste it: what was not understood is never called fine."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Final

import pytest

from agent.cli.watch import main
from tests.parsers.catalogues import LOGS

FAILED: Final = (
    "bad_target_xid_19.log", "corrupt_record_target.log", "corrupt_record_target.csv",
    "corrupt_record_target.json", "missing_middle_target.log", "missing_middle_target_19.csv",
)  # fmt: skip
TRANSLATED: Final = ("es_missing_middle_target_19.log", "es_target_name_pause.log")
PRIMARY: Final = """\
2026-11-28 14:21:05.109 UTC [8421] LOG:  starting PostgreSQL 15.18 on x86_64, compiled by gcc
2026-11-28 14:21:05.139 UTC [8427] LOG:  database system was shut down at 2026-11-28 14:20:20 UTC
2026-11-28 14:21:05.189 UTC [8421] LOG:  database system is ready to accept connections
2026-11-28 14:26:05.189 UTC [8425] LOG:  checkpoint starting: time
2026-11-28 14:27:05.189 UTC [8502] ERROR:  relation "t" does not exist
2026-11-28 14:27:05.189 UTC [8502] STATEMENT:  SELECT * FROM t
"""


def status(path: Path, *options: str) -> int:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return main(["--log", str(path), "--once", *options])


def pieces(text: str) -> dict[str, str]:
    """Every beginning and every end, by what it is."""
    lines = text.splitlines(keepends=True)
    cuts = range(1, len(lines))
    heads = {f"the first {at}": "".join(lines[:at]) for at in cuts}
    return {**heads, **{f"the last {len(lines) - at}": "".join(lines[at:]) for at in cuts}}


@pytest.mark.parametrize("name", FAILED)
def test_no_piece_of_a_failure_is_fine(name: str, tmp_path: Path) -> None:
    fine = []
    for which, piece in pieces((LOGS / name).read_text()).items():
        path = tmp_path / name
        path.write_text(piece)
        if status(path) == 0:
            fine.append(which)
    assert fine == []


@pytest.mark.parametrize("name", TRANSLATED)
def test_no_piece_in_a_language_that_cannot_be_read_is_fine(name: str, tmp_path: Path) -> None:
    fine = []
    for which, piece in pieces((LOGS / name).read_text()).items():
        path = tmp_path / name
        path.write_text(piece)
        if status(path, "--localedir", str(tmp_path)) == 0:
            fine.append(which)
    assert fine == []


def test_a_primary_s_log_holds_no_restore(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_text(PRIMARY)
    assert status(path) == 0


@pytest.mark.parametrize(
    "lines",
    [
        "2026-11-28 14:27:05.189 UTC [8502] LOG:  duration: 12.1 ms  statement: SELECT 1\n" * 3,
        "2026-11-28 14:27:05.189 UTC [8421] LOG:  database system is shut down\n",
        "2026-11-28 14:27:05.189 UTC [8502] FATAL:  the database system is starting up\n",
        '2026-11-28 14:27:05.189 UTC [8421] LOG:  invalid value for parameter "x": "y"\n',
        "waiting for server to start.... done\nserver started\n",
        "2026-11-28 14:27:05.189 P00   INFO: archive-get command begin 2.45: []\n",
    ],
)
def test_what_tells_of_no_server_is_unknown(lines: str, tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_text(lines)
    assert status(path) == 3


@pytest.mark.parametrize(
    "document",
    [
        '{"level": "info", "msg": "reconciling", "n": 1}\n' * 5,
        '[\n  {"a": "b"},\n  {"a": "c"}\n]\n',
        '{"log": "hello\\n", "stream": "stdout", "time": "2026-11-28T14:21:23Z"}\n' * 3,
    ],
)
def test_the_advice_for_json_is_for_json(
    document: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "server.log"
    path.write_text(document)
    assert main(["--log", str(path), "--once"]) == 3
    told = capsys.readouterr().err
    assert "jq" in told and "--log-line-prefix" not in told
