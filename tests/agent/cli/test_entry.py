"""How a program ends."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agent.cli.entry import run


def test_ctrl_c_that_python_wraps_is_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    """A class that is being made: what interrupts it comes out as a RuntimeError."""

    class Interrupted:
        def __set_name__(self, owner: type, name: str) -> None:
            raise KeyboardInterrupt

    def body(words: Sequence[str]) -> int:
        type("Pieces", (), {"field": Interrupted()})
        return 0

    assert run("pitr-watch", body, []) == 3
    assert capsys.readouterr().err == "pitr-watch: interrupted\n"
