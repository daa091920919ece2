"""pitr-watch as a person types it: statuses, one clear line, no traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.cli.watch import main

LOGS = Path(__file__).parents[2] / "parsers" / "logs"
KEYS = [
    "event", "outcome", "reached_target", "target", "redo_start_lsn", "consistent_lsn", "stop",
    "redo_done_lsn", "last_transaction_at", "new_timeline", "restored_segments", "missing_files",
    "fatal_message", "cause", "next_command",
]  # fmt: skip


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(list(arguments))
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return status, printed.out, printed.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--pgdata"),
        (("--log", "x", "--format", "html"), "invalid choice"),
        (("--log", "x", "--timeout", "soon"), "duration"),
        (("--log", "x", "--log-timezone", "Mars/Olympus"), "time zone"),
        (("--lo", "x"), "--help"),
    ],
)
def test_a_wrong_command_line_ends_in_64(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (64, "")
    assert words in err and err.count("\n") == 1


@pytest.mark.parametrize("kind", ["absent", "directory", "rubbish", "pgdata"])
def test_what_cannot_be_read_ends_in_3(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str
) -> None:
    rubbish = tmp_path / "rubbish.bin"
    rubbish.write_bytes(bytes(range(256)) * 40)
    option, path = {
        "absent": ("--log", tmp_path / "no.log"),
        "directory": ("--log", tmp_path),
        "rubbish": ("--log", rubbish),
        "pgdata": ("--pgdata", tmp_path),
    }[kind]
    status, out, err = run(capsys, option, str(path), "--once", "--format", "json")
    assert status == 3
    assert err.startswith("pitr-watch: ") and err.count("\n") == 1
    last = json.loads(out.splitlines()[-1])
    assert list(last) == KEYS and last["event"] == "summary"
    assert last["outcome"] is None


def test_the_help_says_the_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    assert "exit status" in capsys.readouterr().out


def test_the_json_lines_are_the_contract_s(capsys: pytest.CaptureFixture[str]) -> None:
    log = str(LOGS / "laboratory_time.log")
    status, out, err = run(capsys, "--log", log, "--once", "--format", "json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert all(list(line)[:3] == ["at", "event", "source"] for line in lines[:-1])
    assert list(lines[-1]) == KEYS
    stopping = next(line for line in lines if line["event"] == "recovery_stopping")
    assert stopping == {
        "at": "2025-07-10T19:40:57.444000+00:00", "event": "recovery_stopping", "source": "log",
        "position": "before", "kind": "commit", "xid": 732,
        "time": "2025-07-10T19:36:58.237185+00:00",
    }  # fmt: skip
    missing = [line for line in lines if line["event"] == "file_missing"]
    assert [line["harmless"] for line in missing] == [True, True]
    assert lines[-1]["target"] == {"type": "time", "value": "2025-07-10T19:36:52.242927+00:00"}


def test_a_failed_restore_ends_in_2_with_its_cause(capsys: pytest.CaptureFixture[str]) -> None:
    log = str(LOGS / "missing_middle_target.log")
    status, out, _ = run(capsys, "--log", log, "--once")
    assert status == 2
    assert "00000001000000000000000C was not in the archive" in out
    assert out.rstrip().endswith("verdict: FAILED, the target was NOT reached")


def test_the_zone_of_the_log_can_be_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log = tmp_path / "server.log"
    log.write_text("2026-01-10 12:40:57.309 IST [1] LOG:  redo starts at 0/28\n")
    told = ("--log-timezone", "Asia/Kolkata")
    _, out, _ = run(capsys, "--log", str(log), "--once", "--format", "json", *told)
    assert json.loads(out.splitlines()[0])["at"] == "2026-01-10T07:10:57.309000+00:00"


def test_a_text_of_the_whole_story(capsys: pytest.CaptureFixture[str]) -> None:
    log = str(LOGS / "laboratory_name.log")
    status, out, _ = run(capsys, "--log", log, "--once", "--format", "text")
    assert status == 0
    for words in (
        'recovery stops at restore point "punto_laboratorio" (2025-07-10 18:59:47.693563 UTC)',
        "the server continues as timeline 2",
        "ok   promotion: open for writing, timeline 2",
        "verdict: PROMOTED, the target was reached",
    ):
        assert words in out


def test_a_csvlog_finds_the_commands_output_in_the_log_beside_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for suffix in ("csv", "json"):
        log = str(LOGS / f"target_lsn_exclusive.{suffix}")
        _, out, _ = run(capsys, "--log", log, "--once", "--format", "json")
        summary = json.loads(out.splitlines()[-1])
        assert summary["missing_files"] == [
            "00000002.history", "00000002.history", "00000001.history",
        ]  # fmt: skip


STARTED = "2026-01-01 00:00:00 UTC [1] LOG:  starting point-in-time recovery to XID 5\n"


@pytest.mark.parametrize("hostile", ["\x1b]0;title\x07", "\x1b[2J", "\x9b2J", "a\rb", "\u202e"])
def test_a_terminal_is_shown_what_a_log_holds_and_obeys_none_of_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, hostile: str
) -> None:
    log = tmp_path / "server.log"
    restore_point = f'2026-01-01 00:00:01 UTC [1] LOG:  recovery stopping at restore point "{hostile}", time 2026-01-01 00:00:00+00\n'  # noqa: E501
    log.write_text(f"before {hostile}\n{STARTED}{restore_point}", newline="")
    for options in (("--format", "text"), ("--format", "tui")):
        status, out, _ = run(capsys, "--log", str(log), "--once", *options)
        assert status in (0, 1)
        assert all(char.isprintable() or char == "\n" for char in out), repr(out)


def test_what_has_not_ended_is_not_called_bad(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log = tmp_path / "server.log"
    log.write_text(STARTED)
    status, out, _ = run(capsys, "--log", str(log), "--once")
    assert (status, "BAD" in out, "promotion: not yet" in out) == (1, False, True)
    log.write_text("2026-01-01 00:00:00 UTC [1] LOG:  database system is ready\n")
    _, out, _ = run(capsys, "--log", str(log), "--once")
    assert "BAD" not in out


@pytest.mark.parametrize("archive", ["/absent", "s3://bucket/wal"])
def test_an_archive_that_cannot_be_listed_is_told(
    capsys: pytest.CaptureFixture[str], archive: str
) -> None:
    """The verdict is the log's, and whoever named an archive learns that it was not asked."""
    log = str(LOGS / "laboratory_name.log")
    status, out, err = run(capsys, "--log", log, "--once", "--archive", archive)
    assert (status, err.count("\n")) == (0, 1)
    assert archive in err and "could not be told" in err
    assert run(capsys, "--log", log, "--once") == (status, out, "")
