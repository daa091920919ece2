"""Names as bits are the set of strings that they stand for."""

from __future__ import annotations

import pickle
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.segment import segment_name
from rules.model.facts import ArchivedFile
from rules.model.packed_names import logs_of, pack_names
from rules.model.segment_names import ListedFiles, SegmentFiles, SegmentNames, overlay, without
from rules.model.sequence import number_segments

MIB = 1 << 20
DIGITS = st.sampled_from([f"{number:08X}" for number in (0, 1, 10, 255, 4095, 4096, 2**32 - 1)])
SEGMENTS = st.builds("{}{}{}".format, DIGITS, DIGITS, DIGITS)
ODD = st.sampled_from(["", "0" * 23, "0" * 25, "00000001" * 2 + "0000000a", "x" * 24, "é" * 24])
NAMES = st.sets(SEGMENTS | ODD, max_size=30)


@settings(deadline=None)
@given(NAMES, NAMES)
def test_they_are_a_set_as_any_other(one: set[str], two: set[str]) -> None:
    ours, others = SegmentNames.of(one), SegmentNames.of(two)
    assert list(ours) == sorted(one)
    assert list(reversed(ours)) == sorted(one, reverse=True)
    assert len(ours) == len(one) and bool(ours) == bool(one)
    assert [name for name in two if name in ours] == [name for name in two if name in one]
    for other in (others, two, frozenset(two), dict.fromkeys(two).keys()):
        assert set(ours | other) == set(other | ours) == one | two
        assert set(ours & other) == set(other & ours) == one & two
        assert set(ours - other) == one - two
        assert set(other - ours) == two - one
    assert (ours == others) == (one == two) == (ours == two)
    assert pickle.loads(pickle.dumps(ours)) == ours


@settings(deadline=None)
@given(NAMES)
def test_the_ends_are_the_oldest_and_newest_of_each_timeline(names: set[str]) -> None:
    ours = SegmentNames.of(names)
    assert ours.ends == {
        timeline: (min(own), max(own))
        for timeline in {name[:8] for name in names}
        if (own := [name for name in names if name[:8] == timeline])
    }
    by_place = sorted(names, key=lambda name: (name[8:], name[:8]))
    assert ours.extent == ((by_place[0], by_place[-1]) if names else None)
    assert sorted(name for own in ours.by_timeline() for name in own) == sorted(names)


@pytest.mark.parametrize("size", [MIB << bits for bits in range(11)])
@settings(deadline=None)
@given(st.sets(SEGMENTS, max_size=30))
def test_runs_are_the_numbers_and_the_impossible_are_the_others(size: int, names: set[str]) -> None:
    ours = SegmentNames.of(names)
    runs = ours.runs(size)
    numbers = {t: frozenset(n for run in own for n in run) for t, own in runs.items()}
    assert numbers == number_segments(names, size)
    assert all(one.stop < two.start for own in runs.values() for one, two in pairwise(own))
    beyond = 0x1_0000_0000 // size
    impossible = {n for n in names if int(n[16:], 16) >= beyond or n.startswith("0" * 8)}
    assert set(ours.impossible(size)) == impossible


@settings(deadline=None)
@given(st.sets(SEGMENTS, min_size=1, max_size=300), st.sampled_from(["", ".gz", ".lz4"]))
def test_packed_names_are_the_same(names: set[str], suffix: str) -> None:
    packed = pack_names([f"{name}{suffix}" for name in names], suffix)
    ours = SegmentNames.of(names)
    assert (packed is None) == bool(ours.others)
    if packed is not None:
        assert logs_of(packed) == ours.logs


@given(ODD, st.sampled_from(["", ".gz"]))
def test_nothing_but_names_is_packed(name: str, suffix: str) -> None:
    names = [segment_name(1, 7, MIB), name]
    assert pack_names([f"{each}{suffix}" for each in names], suffix) is None
    assert pack_names([names[0], f"{names[0]}{suffix or '.xz'}"], suffix) is None
    spaced = f"{names[0][:23]} "
    assert pack_names([spaced, spaced], suffix) is None


def test_a_sample_is_all_of_few_and_some_of_many() -> None:
    names = [segment_name(1, number, 16 * MIB) for number in range(5000)]
    assert SegmentNames.of(names[:100]).sample(100) == names[:100]
    sample = SegmentNames.of(names).sample(100)
    assert set(sample) < set(names) and 0 < len(sample) <= 100


def _file(name: str) -> ArchivedFile:
    return ArchivedFile("/archive", name, len(name), 0, 0)


@settings(deadline=None)
@given(NAMES, NAMES)
def test_files_are_looked_up_by_the_names_there_are(one: set[str], two: set[str]) -> None:
    ours, told = SegmentFiles(SegmentNames.of(one), _file), {name: _file("told") for name in two}
    assert ours == {name: _file(name) for name in one}
    assert overlay(ours, told) == {**told, **ours}
    assert overlay(told, ours) == {**ours, **told}
    gone = SegmentNames.of(two)
    assert without(ours, gone) == {name: _file(name) for name in one - two}
    with pytest.raises(KeyError):
        ours["absent"]


@given(NAMES, NAMES)
def test_files_that_were_listed_have_the_names_of_all_that_were_put_there(
    first: set[str], later: set[str]
) -> None:
    files = ListedFiles()
    for names in (first, later):
        files |= {name: ArchivedFile("/a", name, 1, 0, 0) for name in names}
        assert SegmentNames.of(files) == set(files)
        assert SegmentNames.of(files) is SegmentNames.of(files)
    copy = pickle.loads(pickle.dumps(files))
    assert copy == files and SegmentNames.of(copy) == first | later
