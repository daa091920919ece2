"""What is said of shell commands is what /bin/sh does with them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rules.backup.restore_trial import expand_command
from rules.backup.shell_commands import judge_archive_command, judge_restore_command
from tests.fix_tools import PATIENCE_SECONDS

# Local commands that the table knows in full: what is said of them can be tried.
ARCHIVING = (
    "cp %p A/%f",
    "/bin/cp '%p' \"A/%f\"",
    "cp -n %p A/%f || exit 1",
    "test ! -f A/%f && cp %p A/%f",
    "[ ! -f A/%f ] && cp %p A/%f.new && mv A/%f.new A/%f",
    "cp %p A/%f.new && mv A/%f.new A/%f",
    "cp %p A/%f || true",
    "cp %p A/%f || exit 3",
    "cp %p A/%f || exit 200",
    "cp %p A/%f && echo done",
    "cp %p A/%f; echo done",
    "cp %p A/%f || echo failed",
    "cp %p A/%f 2>/dev/null; exit 0",
    "cat %p > A/%f",
    "gzip -c %p > A/%f",
    "timeout 20 cp %p A/%f",
    "dd if=%p of=A/%f 2>/dev/null || false",
    "mkdir -p A/B && cp %p A/%f",
    "cp %p A/%f && exit 0 || exit 130",
    "install %p A/%f",
)
RESTORING = (
    "cp A/%f %p",
    "cp A/%f %p || true",
    "cp A/%f %p || exit 1",
    "cat A/%f > %p",
    "cat A/%f | cat > %p",
    "gzip -dc A/%f.gz > %p",
    "gzip -c A/%f > %p",
    "gunzip < A/%f.gz > %p",
    "gunzip A/%f.gz",
    "cp A/%f.gz %p",
    "zcat A/%f.gz > %p",
)
# Nobody can tell: nothing may be said.
UNKNOWN = (
    "/usr/local/bin/store.sh %p %f",
    "if test -f x; then cp %p A/%f; fi",
    "cp %p $ARCHIVE/%f",
    "(cp %p A/%f)",
    "for place in A B; do cp %p $place/%f; done",
    "cp %p 'A/%f",
    "",
    "pgbackrest --stanza=main archive-push %p",
    "wal-g wal-push %p",
    "barman-wal-archive backup main %p",
)


def run(command: str, directory: Path, file: str = "F") -> int:
    text = expand_command(
        command.replace("A/", f"{directory}/archive/"), path="p", file=file, restart="0", major=16
    )
    return subprocess.run(
        ["/bin/sh", "-c", text], cwd=directory, capture_output=True, timeout=PATIENCE_SECONDS
    ).returncode


@pytest.mark.parametrize("command", ARCHIVING)
def test_archive_commands(command: str, tmp_path: Path) -> None:
    said = judge_archive_command(command)
    (tmp_path / "p").write_bytes(b"first")
    status = run(command, tmp_path)  # there is no directory to write to
    made = (tmp_path / "archive").exists()
    assert made or (said.swallows is not None) == (status == 0)
    assert made or (said.aborts is not None) == (status > 125)

    (tmp_path / "archive").mkdir(exist_ok=True)
    run(command, tmp_path)
    stored = (tmp_path / "archive/F").read_bytes()
    (tmp_path / "p").write_bytes(b"second")
    run(command, tmp_path)
    assert (said.overwrites is not None) == ((tmp_path / "archive/F").read_bytes() != stored)
    assert said.places == ("A",)


@pytest.mark.parametrize("command", RESTORING)
def test_restore_commands(command: str, tmp_path: Path) -> None:
    said = judge_restore_command(command)
    archive = tmp_path / "archive"
    archive.mkdir()
    assert (said.swallows is not None) == (run(command, tmp_path, "absent") == 0)
    (tmp_path / "p").unlink(missing_ok=True)

    (archive / "F").write_bytes(b"content" * 100)
    packed = subprocess.run(["gzip", "-c"], input=b"content" * 100, capture_output=True).stdout
    if ".gz" in command:
        (archive / "F").unlink()
        (archive / "F.gz").write_bytes(packed)
    run(command, tmp_path)
    brought = (tmp_path / "p").read_bytes() if (tmp_path / "p").exists() else None
    assert (said.wrong_content is not None) == (brought != b"content" * 100)


@pytest.mark.parametrize("command", UNKNOWN)
def test_what_is_not_known_is_not_judged(command: str) -> None:
    for said in (judge_archive_command(command), judge_restore_command(command)):
        found = said.swallows, said.aborts, said.overwrites, said.not_atomic, said.wrong_content
        assert not any(found)


@pytest.mark.parametrize(
    ("command", "how"),
    [("scp %p h:/A/%f", "scp %p"), ("rsync -a %p h:/A/%f", "rsync -a"), ("ssh h x < %p", "ssh h")],
)
def test_what_goes_to_another_host_can_end_in_255(command: str, how: str) -> None:
    assert judge_archive_command(command).aborts == how
    assert judge_archive_command(f"{command} || exit 1").aborts is None
