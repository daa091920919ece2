"""Every way to change a chain of statements is found, and named for what it is."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.signing import Clock, Signed, draft, new_signed, wal_of

COUNT = 12


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    signed = new_signed(tmp_path_factory.mktemp("signed"))
    writer = signed.writer(clock=Clock())
    for number in range(1, COUNT + 1):
        writer.write(draft(number, wal_of(*range(1, number + 1))))
    return signed


@pytest.fixture
def signed(whole: Signed, tmp_path: Path) -> Signed:
    shutil.copytree(whole.home, tmp_path / "it")
    return Signed(tmp_path / "it")


def put(signed: Signed, lines: list[bytes]) -> None:
    (file,) = signed.files
    file.write_bytes(b"".join(lines))


def test_what_nobody_changed_is_whole(signed: Signed) -> None:
    chain = signed.judge()
    assert chain.problems == ()
    assert [link.statement.sequence for link in chain.links] == list(range(1, COUNT + 1))
    (proven,) = chain.inventories.values()
    assert len(proven.inventory.digests) == COUNT


def a_byte(lines: list[bytes]) -> list[bytes]:
    line = bytearray(lines[4])
    line[len(line) // 2] ^= 1
    lines[4] = bytes(line)
    return lines


def a_line_removed(lines: list[bytes]) -> list[bytes]:
    del lines[4]
    return lines


def two_swapped(lines: list[bytes]) -> list[bytes]:
    lines[4], lines[5] = lines[5], lines[4]
    return lines


def a_line_repeated(lines: list[bytes]) -> list[bytes]:
    return [*lines[:5], lines[4], *lines[5:]]


def the_first_removed(lines: list[bytes]) -> list[bytes]:
    return lines[1:]


def the_tail_cut(lines: list[bytes]) -> list[bytes]:
    return lines[:-3]


def the_last_cut_short(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-1], lines[-1][:-20]]


def a_space(lines: list[bytes]) -> list[bytes]:
    """The signature is of the payload alone, and still right."""
    lines[4] = lines[4].replace(b'"payloadType":', b'"payloadType": ')
    return lines


def a_space_in_the_last(lines: list[bytes]) -> list[bytes]:
    lines[-1] = lines[-1].replace(b'"payloadType":', b'"payloadType": ')
    return lines


def rubbish(lines: list[bytes]) -> list[bytes]:
    return [*lines[:5], b"\x00\xff[[[[\n", *lines[5:]]


TAMPERING: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str, str]] = {
    "a byte": (a_byte, "altered", "line 5"),
    "a line removed": (a_line_removed, "removed", "statement 5 is not there"),
    "two swapped": (two_swapped, "out_of_order", "statement 5 stands after 6"),
    "a line repeated": (a_line_repeated, "repeated", "statement 5 is there before"),
    "the first removed": (the_first_removed, "removed", "statement 1 is not there"),
    "the tail cut": (the_tail_cut, "cut", "statements 10 to 12 are not there"),
    "the last cut short": (the_last_cut_short, "cut", "statement 12 is not there"),
    "a space": (a_space, "altered", "line 5"),
    "a space in the last": (a_space_in_the_last, "altered", "line 12"),
    "rubbish": (rubbish, "altered", "line 6"),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_it_is_named(signed: Signed, what: str) -> None:
    change, kind, said = TAMPERING[what]
    put(signed, change(signed.lines))
    (problem,) = signed.judge().problems
    assert problem.kind == kind
    assert said in f"line {problem.line}: {problem.detail}"


def test_a_statement_of_another_key_is_named(signed: Signed, tmp_path: Path) -> None:
    """Signed well, in its place, with the right link: and not by the key that was given."""
    other = new_signed(tmp_path / "other")
    shutil.copytree(signed.directory, other.directory)
    other.writer(clock=lambda: Clock().now + timedelta(days=1)).write(draft(99))
    put(signed, other.lines)
    shutil.copy(other.directory / "head", signed.directory / "head")
    problems = {problem.kind: problem for problem in signed.judge().problems}
    assert problems.keys() == {"another_key", "head"}
    assert f"statement {COUNT + 1}" in problems["another_key"].detail


def test_the_right_key_beside_another_is_enough(signed: Signed, tmp_path: Path) -> None:
    """After a change of keys both are given, and the chain goes on."""
    from agent.evidence.directory import read_head, read_lines
    from agent.evidence.keys import make_key, read_public_keys, read_signing_key
    from agent.evidence.writer import EvidenceWriter
    from rules.evidence.chain import judge_chain

    make_key(tmp_path / "new")
    later = Clock()
    later.now += timedelta(days=1)
    EvidenceWriter(signed.directory, read_signing_key(tmp_path / "new"), clock=later).write(
        draft(13, wal_of(1, 2))
    )
    keys = read_public_keys([signed.public, tmp_path / "new.pub"])
    chain = judge_chain(read_lines(signed.directory), read_head(signed.directory), keys)
    assert chain.problems == ()
    assert len(chain.keys) == 2


def test_a_statement_of_another_chain_is_named(signed: Signed, tmp_path: Path) -> None:
    """The same key signs for two hosts: what the other's chain says is not to be put into this."""
    other = Signed(tmp_path / "other")
    other.home.mkdir()
    for name in ("key", "key.pub"):
        shutil.copy(signed.home / name, other.home / name)
    writer = other.writer(clock=Clock())
    for number in range(5):
        writer.write(draft(number))
    lines = signed.lines
    lines[4] = other.lines[4]
    put(signed, lines)
    assert {"another_chain", "removed"} <= signed.problems


def test_a_clock_set_back_is_named(signed: Signed) -> None:
    signed.writer(clock=lambda: Clock().now - timedelta(days=3)).write(draft(13))
    (problem,) = signed.judge().problems
    assert (problem.kind, problem.sequence) == ("clock_set_back", COUNT + 1)


def test_clocks_that_differ_a_little_are_a_note(signed: Signed) -> None:
    at = signed.judge().links[-1].statement.at - timedelta(seconds=2)
    signed.writer(clock=lambda: at).write(draft(13))
    chain = signed.judge()
    assert chain.problems == ()
    assert "0:00:02" in chain.notes[0]


def test_a_head_that_is_not_there_is_named(signed: Signed) -> None:
    (signed.directory / "head").unlink()
    assert signed.problems == {"head"}


@pytest.mark.parametrize("cut", [1, 3])
def test_an_older_head_does_not_hide_a_cut_from_whoever_remembers(signed: Signed, cut: int) -> None:
    """Set back as a whole, a chain is as it once was: only a digest kept elsewhere tells."""
    newest = signed.judge().links[-1].digest
    saved = signed.home / "saved"
    shutil.copytree(signed.directory, saved)
    later = Clock()
    later.now += timedelta(days=1)
    for number in range(cut):
        remembered = signed.writer(clock=later).write(draft(number)).digest
    shutil.rmtree(signed.directory)
    saved.rename(signed.directory)
    assert signed.judge(newest).problems == ()
    (problem,) = signed.judge(remembered).problems
    assert problem.kind == "cut"
    assert remembered in problem.detail


def test_an_older_head_alone_is_named(signed: Signed, tmp_path: Path) -> None:
    head = signed.directory / "head"
    old = head.read_bytes()
    later = Clock()
    later.now += timedelta(days=1)
    writer = signed.writer(clock=later)
    for number in range(3):
        writer.write(draft(number))
    head.write_bytes(old)
    assert signed.problems == {"head"}


@pytest.mark.parametrize("lost", ["head", "tail", "both", "forged"])
def test_the_next_writer_mends_nothing_that_somebody_cut(signed: Signed, lost: str) -> None:
    """A writer goes on, and signs what it found: the hole is seen while there is a chain."""
    if lost in ("tail", "both"):
        put(signed, signed.lines[:-2])
    if lost in ("head", "both"):
        (signed.directory / "head").unlink()
    if lost == "forged":
        put(signed, [*signed.lines[:-1], signed.lines[-1].replace(b'"sig":"', b'"sig":"AAAA', 1)])
    later = Clock()
    later.now += timedelta(days=1)
    for number in range(3):
        signed.writer(clock=later).write(draft(number))
    assert "found" in signed.problems or "altered" in signed.problems


def test_a_process_remembers_where_it_left_the_chain(signed: Signed) -> None:
    """It was set back, head and all, while the agent ran."""
    later = Clock()
    later.now += timedelta(days=1)
    writer = signed.writer(clock=later)
    writer.write(draft(13))
    shutil.copytree(signed.directory, signed.home / "saved")
    for number in range(2):
        writer.write(draft(number))
    shutil.rmtree(signed.directory)
    (signed.home / "saved").rename(signed.directory)
    writer.write(draft(16))
    assert {"found", "removed"} <= signed.problems


def test_any_byte_of_any_file_counts(signed: Signed) -> None:
    """One flipped, one inserted, one removed, wherever it is."""
    chance = random.Random(23)
    for path in (*signed.files, signed.directory / "head"):
        data = path.read_bytes()
        # Of the head's line, the end may be missing: it says nothing.
        for at in sorted(chance.sample(range(len(data) - 1), 150)):
            for changed in (
                data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :],
                data[:at] + bytes([chance.randrange(256)]) + data[at:],
                data[:at] + data[at + 1 :],
            ):
                if changed == data:
                    continue
                path.write_bytes(changed)
                assert signed.judge().problems, (path.name, at)
        path.write_bytes(data)
    assert signed.judge().problems == ()
