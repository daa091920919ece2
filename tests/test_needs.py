"""Every program that a test asks for is one of which the package is known: a skip names it."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.fix_tools import _PACKAGES

_TESTS = Path(__file__).parent


def test_every_program_that_is_needed_has_its_package() -> None:
    asked = {
        (path.name, call.args[0].value)
        for path in sorted(_TESTS.rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "need_program"
        and isinstance(call.args[0], ast.Constant)
    }
    assert len(asked) > 10
    assert [each for each in sorted(asked) if each[1] not in _PACKAGES] == []
