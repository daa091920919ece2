"""What restore_command did not find: harmless or not, on real restores; and timelines that fork."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.restores import (
    Restored,
    Story,
    copy_archive,
    down,
    promoted,
    restore,
    watch,
)
from tests.waiting import wait_archived

pytestmark = pytest.mark.pg("== 16")


def missing(
    restored: Restored, *options: str
) -> tuple[dict[str, set[bool | None]], dict[str, Any]]:
    """The files not found, by name, with every label that they got; and the summary."""
    lines, _ = watch("--log", str(restored.log), "--once", *options)
    labels: dict[str, set[bool | None]] = {}
    for line in lines:
        if line["event"] == "file_missing":
            labels.setdefault(line["file"], set()).add(line["harmless"])
    assert set(labels) == set(restored.noted("-"))
    return labels, lines[-1]


def segments_of(archive: Path) -> list[str]:
    return sorted(path.name for path in archive.iterdir() if len(path.name) == 24)


def after(segment: str) -> str:
    return f"{segment[:8]}{int(segment[8:], 16) + 1:016X}"


def test_the_end_of_the_archive_is_harmless_once_the_archive_was_seen(restore_story: Story) -> None:
    last = segments_of(restore_story.archive)[-1]
    with restore(restore_story) as restored:
        labels, summary = missing(restored, "--archive", str(restore_story.archive))
        assert summary["outcome"] == "promoted"
        assert labels == {"00000002.history": {True}, "00000001.history": {True},
                          after(last): {True}}  # fmt: skip
        labels, _ = missing(restored)
        assert labels[after(last)] == {None}, "a gap would look the same"


@pytest.mark.parametrize("settings", [{}, {"recovery_target_xid": "999999"}])
def test_a_segment_in_the_middle_is_not(restore_story: Story, settings: dict[str, str]) -> None:
    archive = copy_archive(restore_story, "middle")
    gone = segments_of(archive)[-3]
    (archive / gone).unlink()
    with restore(
        restore_story, archive=archive, until=down if settings else promoted, **settings
    ) as restored:
        labels, summary = missing(restored, "--archive", str(archive))
        assert labels[gone] == {False}
        assert summary["outcome"] == ("failed" if settings else "promoted")
        assert all(label == {True} for file, label in labels.items() if file != gone)
        alone, _ = missing(restored)
        assert alone[gone] == ({False} if settings else {None})


def test_after_a_target_beyond_the_archive_its_end_is_not(restore_story: Story) -> None:
    last = segments_of(restore_story.archive)[-1]
    with restore(restore_story, until=down, recovery_target_xid="999999") as restored:
        labels, _ = missing(restored, "--archive", str(restore_story.archive))
        assert labels[after(last)] == {False}


@pytest.fixture
def forked(restore_story: Story) -> Path:
    """The story's archive, with a second timeline that forks at the restore point."""
    archive = copy_archive(restore_story, "forked")
    with restore(
        restore_story, archive=archive, recovery_target_name=restore_story.restore_point,
        recovery_target_action="promote", archive_mode="on",
        archive_command=f"test ! -f {archive}/%f && cp %p {archive}/%f",
    ) as restored:  # fmt: skip
        restored.cluster.sql("CREATE TABLE of_the_second (n int)")
        restored.cluster.sql("SELECT pg_switch_wal()")
        wait_archived(restored.cluster)
    assert any(name.startswith("00000002") for name in segments_of(archive))
    return archive


def test_the_way_through_a_fork(restore_story: Story, forked: Path) -> None:
    expected = {"latest": (3, 2), "1": (3, 1), "2": (3, 2)}
    for timeline, (born, followed) in expected.items():
        with restore(restore_story, archive=forked, recovery_target_timeline=timeline) as restored:
            labels, summary = missing(restored, "--archive", str(forked))
            assert (summary["outcome"], summary["new_timeline"]) == ("promoted", born)
            assert {int(name[:8], 16) for name in summary["restored_segments"]} == set(
                range(1, followed + 1)
            )
            assert all(label == {True} for label in labels.values()), labels
            restored.summary()
    with restore(
        restore_story, archive=forked, until=down, recovery_target_timeline="7"
    ) as restored:
        labels, summary = missing(restored)
        assert summary["outcome"] == "failed"
        assert labels["00000007.history"] == {False}


def test_the_servers_lines_between_the_pieces_of_the_commands_message_are_read(
    restore_story: Story,
) -> None:
    """As error() of the C library writes it, with a reload wherever the server may speak."""
    said = "$(grep -c SIGHUP ../server.log)"
    wait = f"until test {said} -gt $n; do sleep 0.1; done"
    reload = f"n={said}; kill -HUP $(head -n 1 postmaster.pid); {wait}"
    speak = (
        f"printf 'cp: ' >&2; {reload}; printf \"cannot stat '/a/%f'\" >&2; {reload};"
        f" printf ': No such file or directory' >&2; {reload}; echo >&2; exit 1"
    )
    command = f"cp {restore_story.archive}/%f %p 2> /dev/null || {{ {speak}; }}"
    last = segments_of(restore_story.archive)[-1]
    with restore(restore_story, command=command) as restored:
        log = restored.log.read_bytes()
        summary = restored.summary()
        lines, _ = watch("--log", str(restored.log), "--once")
    assert b"cp: 20" in log and b"'20" in log and b"directory20" in log, "nothing came between"
    assert summary["outcome"] == "promoted" and summary["stop"]["position"] is not None
    files = {line["file"] for line in lines if line["event"] == "file_missing"}
    assert files == {"00000002.history", "00000001.history", after(last)}
