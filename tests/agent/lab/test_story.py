"""The story on a terminal, and on what is none."""

import io

import pyte
import pytest
from rich.console import Console

from agent.lab.story import ComparisonRow, TerminalStory, make_console

_ROWS = [
    ComparisonRow(
        target=("recovery_target_time", "2026-11-22 13:53:01.684897+00:00", "promote"),
        witnesses={
            "recorded": ("before the COMMIT of 733", "at 0/40000B8"),
            "PostgreSQL": ("recovery stopping before commit of transaction 733",),
        },
        agree=True,
    ),
    ComparisonRow(
        target=("recovery_target_name", "punto_laboratorio", "pause"),
        witnesses={"recorded": ("punto_laboratorio",), "PostgreSQL": ("nothing about a stop",)},
        agree=False,
    ),
]


def _tell(console: Console) -> str:
    story = TerminalStory(console)
    with story.step("A step"):
        with story.shell("pg_ctl start -D PITR"):
            pass
        with story.sql("SELECT 1,\n  2;"):
            pass
        story.result(("id", "nombre"), [(1, "registro_1")])
        story.proof("it holds [really]")
        story.proof("it does not", holds=False)
        story.agent_says("pitr_up 1")
        story.server_says("redo done at 0/40000B8 " + "x" * 150)
    story.comparison("The comparison", _ROWS)
    story.verdict("the end", holds=True)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _lines_on_screen(text: str) -> list[str]:
    """What a very wide terminal shows: nothing is wrapped by the terminal itself."""
    screen = pyte.Screen(300, 100)
    pyte.Stream(screen).feed(text.replace("\n", "\r\n"))
    return [line.rstrip() for line in screen.display]


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_terminal_gets_lines_that_fit(width: int) -> None:
    text = _tell(Console(file=io.StringIO(), force_terminal=True, color_system=None, width=width))
    shown = _lines_on_screen(text)
    assert max(len(line) for line in shown) <= min(width, 100)
    assert any("╭" in line for line in shown) and any("✗" in line for line in shown)


def test_what_is_no_terminal_gets_plain_unwrapped_lines() -> None:
    text = _tell(Console(file=io.StringIO(), force_terminal=False, color_system=None, width=80))
    assert "\x1b" not in text and "│ recorded" not in text
    assert "redo done at 0/40000B8 " + "x" * 150 in text
    assert "  recovery_target_name, punto_laboratorio, pause: DIFFER\n" in text
    assert "    recorded    before the COMMIT of 733; at 0/40000B8\n" in text
    assert "it holds [really]" in text


@pytest.mark.parametrize(
    ("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb"), ("COLUMNS", "40")]
)
def test_such_terminals_are_taken_for_plain_ones(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich: behave as on a terminal
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert make_console().is_terminal
    monkeypatch.setenv(name, value)
    assert not make_console().is_terminal


def test_a_command_to_copy_stays_in_one_piece() -> None:
    file = io.StringIO()
    TerminalStory(Console(file=file, force_terminal=True, color_system=None, width=80)).to_type(
        "x" * 200
    )
    assert file.getvalue() == f"    $ {'x' * 200}\n"


def test_an_ascii_terminal_gets_ascii() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    story = TerminalStory(Console(file=file, force_terminal=True, color_system=None, width=100))
    story.proof("it holds · and so does this")
    story.comparison("The comparison", _ROWS)
    file.flush()
    assert file.buffer.getvalue().decode("ascii").startswith("    ok: it holds - and so does this")  # type: ignore[attr-defined]
