"""Following a log: growing, rotated, truncated, in a directory, not there yet."""

from __future__ import annotations

import os
from pathlib import Path

from agent.live.logtail import LogTail
from parsers.log.recovery_events import RecoveryEvent

LINE = '2026-11-22 12:46:40.700 UTC [4364] LOG:  restored log file "{}" from archive\n'


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def line(number: int) -> str:
    return LINE.format(f"{1:08X}{number:016X}")


def numbers(items: list[object]) -> list[int]:
    return [
        int(str(item.fields["file"])[8:], 16) for item in items if isinstance(item, RecoveryEvent)
    ]


class Followed:
    """A tail whose every reading is as late as it needs to be for held records."""

    def __init__(self, path: Path) -> None:
        self.clock = Clock()
        self.tail = LogTail(path, clock=self.clock)

    def read(self) -> list[int]:
        found = numbers(list(self.tail.read_new()))
        self.clock.now += 2
        return found + numbers(list(self.tail.read_new()))


def write(path: Path, *wanted: int, mode: str = "a") -> None:
    with path.open(mode) as file:
        file.write("".join(line(number) for number in wanted))


def test_a_log_that_does_not_exist_yet(tmp_path: Path) -> None:
    followed = Followed(tmp_path / "server.log")
    assert followed.read() == []
    write(tmp_path / "server.log", 1, 2)
    assert followed.read() == [1, 2]


def test_a_record_is_held_for_half_a_second_and_no_more(tmp_path: Path) -> None:
    log, clock = tmp_path / "server.log", Clock()
    tail = LogTail(log, clock=clock)
    write(log, 1)
    assert tail.read_new() == []
    clock.now = 0.4
    assert tail.read_new() == []
    clock.now = 0.5
    assert numbers(list(tail.read_new())) == [1]


def test_a_line_may_come_in_pieces(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    followed = Followed(log)
    text = line(1) + line(2)
    log.write_text(text[:30])
    assert followed.read() == []
    with log.open("a") as file:
        file.write(text[30:])
    assert followed.read() == [1, 2]


def test_rotation_by_rename_loses_nothing(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    write(log, 1)
    followed = Followed(log)
    assert followed.read() == [1]
    write(log, 2)
    log.rename(tmp_path / "server.log.1")
    assert followed.read() == [2]
    write(tmp_path / "server.log.1", 3)  # the server still writes into the old one
    assert followed.read() == [3]
    write(log, 4)
    assert followed.read() == [4]


def test_truncation_in_place_starts_again(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    write(log, 1, 2, 3)
    followed = Followed(log)
    assert followed.read() == [1, 2, 3]
    write(log, 4, mode="w")
    assert followed.read() == [4]


def test_a_directory_is_followed_from_its_newest_file(tmp_path: Path) -> None:
    for day, number in (("mon", 1), ("tue", 2)):
        write(tmp_path / f"postgresql-{day}.log", number)
        os.utime(tmp_path / f"postgresql-{day}.log", (number * 100, number * 100))
    followed = Followed(tmp_path)
    assert followed.read() == [2]
    write(tmp_path / "postgresql-wed.log", 3)
    assert followed.read() == [3]
    assert followed.tail.current == tmp_path / "postgresql-wed.log"


def test_an_empty_directory_waits(tmp_path: Path) -> None:
    followed = Followed(tmp_path)
    assert followed.read() == []
    write(tmp_path / "postgresql.log", 1)
    assert followed.read() == [1]


def test_the_last_line_counts_at_the_close(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text(line(1).rstrip("\n"))
    tail = LogTail(log, clock=Clock())
    tail.read_new()
    assert numbers(list(tail.close())) == [1]


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # so that the writer can open it
    writer = os.open(pipe, os.O_WRONLY)
    tail = LogTail(pipe, clock=Clock())
    assert tail.read_new() == [] and not tail.at_end
    os.write(writer, (line(1) + line(2)).encode())
    os.close(reader)
    assert numbers(list(tail.read_new())) == [1]
    os.close(writer)
    assert tail.read_new() == [] and tail.at_end
    assert numbers(list(tail.close())) == [2]
