"""WAL that waits in Barman's incoming/: a restore archives it first, and get-wal finds it there."""

from __future__ import annotations

import gzip
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from agent.repositories.opening import RepoPlace
from rules.model.target import Target
from tests.fix_backup_tools import Story, Wish, drilled_by_tool, judged, read_story
from tests.fix_place import PLACE

WAITING = 3  # segments
BASE = PLACE  # the server's account must get there


@pytest.fixture
def waiting(barman_story: Story, short_directory: Path) -> Story:
    """A copy, of which the last segments are not archived yet."""
    home = short_directory / "w"
    for name in ("barman", "lock"):
        shutil.copytree(barman_story.home / name, home / name, symlinks=True)
    config = home / "barman.conf"
    config.write_text(barman_story.config.read_text().replace(str(barman_story.home), str(home)))
    main = home / "barman" / "main"
    xlogdb = main / "wals" / "xlog.db"
    lines = xlogdb.read_text().splitlines(keepends=True)
    late = [line.split()[0] for line in lines if line[:24].strip().isalnum()][-WAITING:]
    xlogdb.write_text("".join(line for line in lines if line.split()[0] not in late))
    for name in late:
        stored = main / "wals" / name[:16] / name
        (main / "incoming" / name).write_bytes(gzip.decompress(stored.read_bytes()))
        shutil.copystat(stored, main / "incoming" / name)
        stored.unlink()
    for path in (home, *home.rglob("*")):
        barman_story.account.own(path)
    place = RepoPlace(url=str(home / "barman"), number=1)
    return replace(barman_story, home=home, config=config, places=(place,))


@pytest.mark.slow
@pytest.mark.xdist_group("barman")
def test_a_restore_begins_by_archiving_what_waits(waiting: Story, installations: object) -> None:
    incoming = waiting.home / "barman/main/incoming"
    late = sorted(path.name for path in incoming.iterdir())
    assert len(late) == WAITING
    case = read_story(waiting)
    last = next(each for each in reversed(waiting.marks) if each.type == "name")
    target = Target(
        type="name", value=last.value, timeline="2", inclusive=True, action="promote"
    )  # fmt: skip
    (opened,) = waiting.open().opened
    assert [opened.find_wal(name)[-1].directory for name in late] == [str(incoming)] * WAITING
    wish = Wish(target=target, label=opened.labels()[-1], timeline_given=True)
    told = judged(case, wish)[0].target
    assert told is not None and told.reachable and told.via == "tool" and told.other is None

    drilled = drilled_by_tool(waiting, case, wish, BASE)  # which must not archive anything
    assert "barman archive-wal main" in str(drilled.not_run)
    assert sorted(path.name for path in incoming.iterdir()) == late

    assert wish.label is not None
    said = waiting.run("recover", "main", wish.label, str(waiting.home / "restored"))
    assert "Processing xlog segments from file archival for main" in said
    assert list(incoming.iterdir()) == []
    drilled = drilled_by_tool(waiting, case, wish, BASE)  # beside what was predicted before
    assert (drilled.outcome, drilled.agrees) == ("promoted", True), drilled
