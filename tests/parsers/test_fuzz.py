"""Random and mutated bytes through every parser: values or ParseError, never anything else.

`make fuzz FUZZ_CALLS=1000000` puts more of them to each, and says what it found.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fuzz_parsers import Fuzzed, fuzz, keep, read_results
from tests.parsers.entries import ENTRIES
from tests.parsers.samples import resealed, samples_of

CALLS = int(os.environ.get("PITR_TEST_FUZZ", "20000"))  # over all parsers
SEED = int(os.environ.get("PITR_TEST_SEED", "430006288"))


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_no_bytes_make_a_parser_fail_in_another_way(capsys: pytest.CaptureFixture[str]) -> None:
    done = [Fuzzed(name=name, seed=SEED) for name in ENTRIES]
    for each in done:
        fuzz(each, 0, CALLS // len(ENTRIES))
    assert [each.name for each in done if each.broken] == [], capsys.readouterr().out
    assert sum(each.refused for each in done) > CALLS // 10


@pytest.mark.parametrize("name", ENTRIES)
def test_a_sample_is_read(name: str) -> None:
    """Or nothing that is made of it reaches far."""
    for sample in samples_of(name):
        ENTRIES[name](sample)
        ENTRIES[name](resealed(name, sample))


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    """With the same seed; and what was kept is replaced whole."""
    results = tmp_path / "fuzzed"
    assert read_results(results, 3) == {}
    done = Fuzzed(name="lsn", seed=3)
    for turn in (0, 1):
        fuzz(done, turn, 10)
        keep(results, [done])
    assert read_results(results, 3) == {"lsn": done} and done.calls == 20
    assert read_results(results, 4) == {}
