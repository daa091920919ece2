"""The systemd units bound what a fault can take."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).parent.parent / "packaging" / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_memory_tasks_and_files_are_bounded(unit: Path) -> None:
    text = unit.read_text()
    for name, pattern in (("MemoryMax", r"\d+G"), ("TasksMax", r"\d+"), ("LimitNOFILE", r"\d+")):
        assert re.search(rf"^{name}={pattern}$", text, re.MULTILINE), name
