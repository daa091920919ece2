"""The reading of guides itself: what counts as the same output, and what a reader types."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.guides import agrees, read_steps, run_steps, show_again

GUIDE = """\
```console
$ export PLACE=/backup/wal
$ echo one \\
  two
one two
$ false
$ echo $? in $PLACE
1 in /backup/wal
```

```text file=note
kept in /backup/wal, $PLACE
```

```console
$ cat note
kept in /backup/wal, $PLACE
```

```sh
never run
```
"""


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    path = tmp_path / "guide.md"
    path.write_text(GUIDE)
    return path


def follow(guide: Path) -> list[list[str]]:
    places = {"PLACE": "/elsewhere"}
    environment = {"HOME": str(guide.parent), "PATH": "/usr/bin:/bin"}
    return run_steps(
        read_steps(guide), places, environment, cwd=guide.parent, start_new_session=True
    )


def test_a_reader_types_and_saves_what_stands_there(guide: Path) -> None:
    printed = follow(guide)
    assert printed == [
        [],
        ["one two"],
        [],
        ["1 in /backup/wal"],
        [],
        ["kept in /backup/wal, $PLACE"],
    ]
    assert [step.shown for step in read_steps(guide)] == printed
    assert (guide.parent / "note").read_text() == "kept in /elsewhere, $PLACE\n"


def test_what_is_shown_wrong_is_noticed_and_mended(guide: Path) -> None:
    guide.write_text(GUIDE.replace("\none two\n", "\none three\nfour\n"))
    steps, printed = read_steps(guide), follow(guide)
    assert [agrees(step.shown, said) for step, said in zip(steps, printed, strict=True)].count(
        False
    ) == 1
    show_again(guide, steps, printed)
    assert guide.read_text() == GUIDE


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("at 0/3008510, 2026-11-22 15:05:05.597193 UTC", "at 1F/4, 2027-01-02 00:00:00 UTC"),
        ("last completed transaction: 73", "last completed transaction: 74"),
        ("  972 files   of it", "  970 files of it"),
        ("commit of 735, 47 records, 51.0 KiB", "commit of 736, 49 records, 59.1 KiB"),
        ("commit of 735, 47 records, 51.0 KiB", "commit of 735, 8 records, 712 bytes"),
        (
            "read between 2026-11-22 15:05:05 and 2026-11-22 15:05:06 UTC",
            "read at 2026-11-22 15:05:07 UTC",
        ),
        ("a\n…\nz", "a\nb\nc\nz"),
        ("a\n…\nz", "a\nz"),
    ],
)
def test_what_no_two_runs_share_is_the_same(shown: str, printed: str) -> None:
    assert agrees(shown.split("\n"), printed.split("\n"))


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("5 segments", "4 segments"),
        ("OK: 1 backup", "CRITICAL: 1 backup"),
        ("000000010000000000000004", "000000010000000000000005"),
        ("commit of 735, 47 records, 51.0 KiB", "commit of 735"),
        ("2 commits, 47 records", "3 commits, 47 records"),
        ("at 0/3008510", "at 2026-11-22 15:05:05 UTC"),
        ("a\n…\nz", "a\nz\ny"),
        ("a", "a\nb"),
    ],
)
def test_everything_else_differs(shown: str, printed: str) -> None:
    assert not agrees(shown.split("\n"), printed.split("\n"))
