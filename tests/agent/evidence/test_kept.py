"""A chain holds whatever befalls its writers: ended at any instant, many at once, out of room."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from agent.evidence import writer as module
from tests.fix_tools import PATIENCE_SECONDS
from tests.signing import Clock, Signed, draft, new_signed, wal_of

_CALLS = ("open", "write", "fsync", "ftruncate", "close")


def killed_at(signed: Signed, number: int, write: Callable[[], None], *, half: bool) -> bool:
    """Fork a writer that SIGKILLs itself at the n-th call of the system; whether it was killed.

    `half`: a write is half done then.
    """
    child = os.fork()
    if child == 0:
        try:
            _kill_at(number, half)
            write()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _kill_at(number: int, half: bool) -> None:
    left = [number]
    real = os.write

    def counting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                if half and name == "write":
                    real(arguments[0], arguments[1][: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return call

    for name in _CALLS:
        setattr(module.os, name, counting(name, getattr(os, name)))
    module.Path.replace = counting("replace", module.Path.replace)  # type: ignore[method-assign]
    module.Path.unlink = counting("unlink", module.Path.unlink)  # type: ignore[method-assign]


@pytest.mark.slow
@pytest.mark.parametrize("half", [False, True])
def test_killed_at_any_call_it_verifies_and_goes_on(tmp_path: Any, half: bool) -> None:
    """Every call of one append: the first of a chain, one in it, and one that begins a file."""
    signed = new_signed(tmp_path)
    signed.directory.mkdir()
    kills = 0
    for size in (1 << 20, 1):  # with room in the file, and without
        number = 1
        while True:

            def write(size: int = size) -> None:
                signed.writer(file_bytes=size, limit_bytes=20_000).write(draft(1, wal_of(1, 2)))

            killed = killed_at(signed, number, write, half=half)
            assert signed.judge().problems == (), (number, size)
            kills += killed
            before = signed.judge().last
            at = signed.writer().write(draft(2, wal_of(1, 2, 3))).sequence
            assert at == (before.statement.sequence + 1 if before else 1)
            assert signed.judge().problems == (), (number, size)
            if not killed:
                break
            number += 1
    assert kills > 15


def test_many_writers_wait_for_each_other(tmp_path: Any) -> None:
    signed = new_signed(tmp_path)
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            try:
                for each in range(6):
                    writer = signed.writer(lock_seconds=PATIENCE_SECONDS)
                    writer.write(draft(each, wal_of(number, each)))
            except BaseException:
                os._exit(1)
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    chain = signed.judge()
    assert chain.problems == ()
    assert len(chain.links) == 24


def test_a_writer_that_holds_the_lock_is_waited_for_in_vain(tmp_path: Any) -> None:
    signed = new_signed(tmp_path)
    signed.writer().write(draft(1))
    with signed.writer()._locked(), pytest.raises(module.CannotWriteEvidence, match="another"):
        signed.writer(lock_seconds=0.1).write(draft(2))


def test_files_are_bounded_and_what_was_dropped_is_said(tmp_path: Any) -> None:
    """The oldest files go, a signed statement names them, and what is left says all of the WAL."""
    signed = new_signed(tmp_path)
    writer = signed.writer(clock=Clock(), file_bytes=4000, limit_bytes=16_000)
    for number in range(60):
        writer.write(draft(number, wal_of(*range(number, number + 5))))
    assert sum(path.stat().st_size for path in signed.files) < 3 * 16_000
    chain = signed.judge()
    assert chain.problems == ()
    first = chain.links[0].statement.sequence
    assert first > 1
    (proven,) = chain.inventories.values()
    assert len(proven.inventory.digests) == 5
    # Whoever removes one more has not signed for it.
    signed.files[0].unlink()
    assert "removed" in signed.problems


def test_segments_that_are_listed_and_were_not_read_stay_proven(tmp_path: Any) -> None:
    from dataclasses import replace

    signed = new_signed(tmp_path)
    writer = signed.writer(clock=Clock())
    writer.write(draft(1, wal_of(1, 2, 3, 4)))
    later = wal_of(2, 3, 4, 5)
    unread = {name: digest for name, digest in later.digests.items() if not name.endswith("3")}
    writer.write(draft(2, replace(later, digests=unread)))
    chain = signed.judge()
    assert chain.problems == ()
    (proven,) = chain.inventories.values()
    assert [int(name[8:], 16) for name in sorted(proven.inventory.digests)] == [2, 3, 4, 5]
    change = chain.links[1].statement.wal
    assert change is not None and change.gone == (sorted(wal_of(1).digests)[0],)


def test_a_large_archive_takes_several_statements(tmp_path: Any, monkeypatch: Any) -> None:
    from rules.evidence import inventory

    monkeypatch.setattr(inventory, "READ_MAX", 10)
    signed = new_signed(tmp_path)
    assert signed.writer(clock=Clock()).write(draft(1, wal_of(*range(35)))).sequence == 4
    assert [link.statement.kind for link in signed.judge().links] == ["wal"] * 3 + ["verdict"]
    assert signed.judge().problems == ()
