"""Whatever lies under a name of an archive: said by its name, at once, in little memory, unknown.

The agent says it, goes on, and sees again once it is gone.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.lab.metrics_page import MetricsPage
from tests.fix_agent import WatchedAgent
from tests.fix_check import WITHOUT_ROOTS_EYES, Archived
from tests.integration.test_hostile_files import (
    _SECRET,
    ALL,
    a_dangling_link,
    a_file_of_3_gib,
    measured,
)
from tests.integration.test_no_files import (
    a_directory,
    a_link_to_a_device,
    a_link_to_itself,
    a_pipe,
    a_socket,
    put,
)
from tests.integration.test_store_programs import sound

Kind = Callable[[Path], None]
PROVEN = (a_file_of_3_gib,)  # all the same: such a segment has another size


def next_segment(segment: Path) -> str:
    return f"{segment.name[:16]}{int(segment.name[16:], 16) + 1:08X}"


def names_of(archived: Archived) -> dict[str, str]:
    """Each kind of name that is read in an archive, and one that it has here."""
    (label,) = archived.archive.glob("*.backup")
    return {
        "segment": archived.segments[-2].name,
        "compressed": f"{archived.segments[-2].name}.gz",
        "partial": f"{next_segment(archived.segments[-1])}.partial",
        "history": "00000002.history",
        "label": label.name,
    }


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_under_every_name_of_an_archive(archived: Archived, kind: Kind) -> None:
    kept = archived.archive.rename(archived.archive.parent / "kept")
    segment = archived.archive / "none"
    for what, name in names_of(Archived(archived.backup, kept)).items():
        subprocess.run(["cp", "-al", kept, archived.archive], check=True)
        if what == "compressed":
            segment = archived.archive / name.removesuffix(".gz")
            segment.unlink()
        put(kind, archived.archive / name)
        if kind in PROVEN:
            archived.age(archived.archive / name)
        checked = measured(
            "--archive", archived.archive, "--backup", archived.backup, "--format", "json",
            prefix=WITHOUT_ROOTS_EYES,
        )  # fmt: skip
        told = checked.out + checked.err
        assert _SECRET not in told
        assert "this is a bug" not in told
        if what in ("segment", "compressed"):
            proven = kind in PROVEN
            assert checked.status == (2 if proven else 3), (name, told)
            (damaged,) = checked.json["archives"][0]["damaged"]
            assert damaged["segment"] == name.removesuffix(".gz")
            assert (damaged["kind"] == "unreadable") != proven
            assert checked.json["archives"][0]["gaps"] == []
        elif what == "history":
            assert checked.status == 3, told
            assert name in told
        else:  # a restore asks for neither
            assert checked.status == 0, (name, told)
        subprocess.run(["rm", "-rf", archived.archive], check=True)


def test_the_agent_sees_again_once_all_is_gone(
    archived: Archived, new_agent: Callable[..., WatchedAgent]
) -> None:
    """Every kind at once, under every name that an archive has."""
    kinds = [a_pipe, a_socket, a_directory, a_dangling_link, a_link_to_itself, a_link_to_a_device]
    names = [path.name for path in archived.segments[2:5]]
    names += [
        what for key, what in names_of(archived).items() if key not in ("segment", "compressed")
    ]
    kept = archived.archive.parent / "kept"
    kept.mkdir()
    agent = new_agent(
        archives=[{"url": str(archived.archive)}], backups={"url": str(archived.backup)}
    )
    agent.wait_for(sound)
    for name, kind in zip(names, kinds, strict=True):
        path = archived.archive / name
        if path.exists():
            path.rename(kept / name)
        put(kind, path)
    agent.wait_for(lambda page: found(page, "history_unread") and found(page, "wal_unread"))
    assert _SECRET not in agent.log.read_text()
    for name in names:
        path = archived.archive / name
        path.rmdir() if path.is_dir() else path.unlink()
        if (kept / name).exists():
            (kept / name).rename(path)
    page = agent.wait_for(lambda page: sound(page) and not found(page, "wal_unread"))
    assert not found(page, "history_unread")


def found(page: MetricsPage, check: str) -> float:
    return page.total("pitr_finding", id=check) or 0
