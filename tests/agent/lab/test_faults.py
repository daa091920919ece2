"""The table of faults: what it promises exists."""

from pathlib import Path

import pytest

import agent.lab.faults
import rules.catalogue
from agent.lab.faults import FAULTS, Fault

_DEMANDED = {
    "archive-fails", "gap", "truncated", "bitflip", "wrong-cluster", "hung-archive",
    "silent-loss", "midnight",
}  # fmt: skip


def test_every_promised_fault_is_there() -> None:
    assert set(FAULTS) == _DEMANDED


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.name)
def test_a_fault_has_a_file_of_its_name_that_says_what_it_is(fault: Fault) -> None:
    path = Path(agent.lab.faults.__file__).with_name(f"{fault.name.replace('-', '_')}.py")
    assert path.read_text().startswith('"""')


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.name)
def test_its_findings_are_checks_of_the_catalogue(fault: Fault) -> None:
    ids = {path.stem for path in Path(rules.catalogue.__file__).parent.glob("*.py")}
    assert fault.findings and fault.findings <= ids
