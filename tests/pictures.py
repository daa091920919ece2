"""Draw docs/pictures/watch-*.svg: the screens of pitr-watch over real restores (make pictures).

A primary makes half a gigabyte of WAL, its backup is restored three times, and pitr-watch runs in a
terminal beside each: what the terminal shows at chosen moments is drawn, cell by cell.

    python -m tests.pictures [DIRECTORY]
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pyte
from rich.console import Console
from rich.text import Text

from agent.postgres.account import Account, server_account
from agent.postgres.cluster import Cluster, ServerFailed
from agent.postgres.installation import Installation, InstallationFor, find_installation
from tests.watching import Screen

MAJOR: Final = 18
COLUMNS, ROWS = 100, 28
_PICTURES: Final = Path(__file__).parent.parent / "docs" / "pictures"
_HOME: Final = Path("/tmp/pitr")  # its name is in the pictures
_RESTORE_POINT: Final = "before_the_change"
_ROUNDS: Final = (12, 4)  # of rows, before and after the restore point
# Nothing is fetched from elsewhere when the picture is looked at.
SVG: Final = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g></g></svg>
"""


class Story:
    """A primary's archive and its backup."""

    def __init__(self, installation: Installation, home: Path, account: Account) -> None:
        self.account, self.installation, self.home = account, installation, home
        self.archive = account.make_directory(home / "archive")
        primary = Cluster(installation, home / "primary", account)
        self.backup = primary.home / "backup"
        primary.initdb()
        primary.configure(
            archive_mode="on", archive_command=f"cp %p {self.archive}/%f", fsync=False,
            max_wal_size="1GB",
        )  # fmt: skip
        with primary.running():
            primary.sql("CREATE TABLE orders (id int, note text)")
            primary.base_backup(self.backup)
            before, after = _ROUNDS
            self._write(primary, before)
            primary.sql("SELECT pg_create_restore_point('before_the_change')")
            self._write(primary, after)
            primary.sql("SELECT pg_switch_wal()")
            last = primary.sql("SELECT pg_walfile_name(pg_current_wal_lsn() - 1)")[0][0]
            while not (self.archive / str(last)).exists():
                time.sleep(0.2)

    def _write(self, primary: Cluster, rounds: int) -> None:
        for _ in range(rounds):
            primary.sql(
                "INSERT INTO orders SELECT n, repeat(md5(n::text), 4)"
                " FROM generate_series(1, 90000) n"
            )

    @contextlib.contextmanager
    def restored(
        self,
        *,
        archive: Path | None = None,
        seconds_a_segment: float = 0.5,
        **settings: str | int | bool,
    ) -> Iterator[Cluster]:
        """A restore that is ready to be started; restore_command takes its time."""
        cluster = Cluster(self.installation, self.home / "restore", self.account)
        command = f"sleep {seconds_a_segment}; cp {archive or self.archive}/%f %p"
        cluster.restore_from(self.backup, restore_command=command, fsync=False, **settings)
        try:
            yield cluster
        finally:
            cluster.stop("immediate")
            shutil.rmtree(cluster.data)
            cluster.log.unlink()


def draw(screen: Screen, path: Path, title: str) -> None:
    """Draw what the terminal shows now."""
    console = Console(record=True, width=COLUMNS, file=open("/dev/null", "w"), color_system="256")  # noqa: PTH123, SIM115
    rows = [_row(screen, number) for number in range(ROWS)]
    while rows and not rows[-1].plain.strip():
        rows.pop()
    for row in rows:
        console.print(row, no_wrap=True)
    path.write_text(console.export_svg(title=title, code_format=SVG, unique_id="pitr-watch"))
    print(path)


def _row(screen: Screen, number: int) -> Text:
    """A row as text. Its indentation is a span of its own: not every viewer keeps it otherwise."""
    line = screen.cells[number]
    characters = "".join(line[column].data for column in range(COLUMNS)).rstrip()
    indentation = len(characters) - len(characters.lstrip())
    text = Text()
    text.append(characters[:indentation], style="not bold")
    for column in range(indentation, len(characters)):
        text.append(characters[column], style=_style(line[column]))
    return text


def _style(cell: pyte.screens.Char) -> str:
    words = ["bold"] if cell.bold else []
    if cell.fg != "default":
        words.append({"brown": "yellow"}.get(cell.fg, cell.fg))
    return " ".join(words)


def draw_all(story: Story, to: Path) -> None:
    """The pictures of the guide."""
    with story.restored(
        recovery_target_name=_RESTORE_POINT, recovery_target_action="pause"
    ) as cluster:
        screen = _watch(cluster)
        screen.wait_for("predicted    stops at restore point")
        draw(screen, to / "watch-before.svg", "before the start")
        _start(cluster)
        _wait(screen, lambda text: " 5" in text and "%" in text and "to go" in text)
        draw(screen, to / "watch-replaying.svg", "replaying")
        screen.wait_for("SELECT pg_wal_replay_resume();")
        screen.wait_for("ok   pg_is_in_recovery(): true")
        draw(screen, to / "watch-paused.svg", "paused at the target")
        cluster.sql("SELECT pg_wal_replay_resume()")
        screen.wait_for("verdict: PROMOTED")
        screen.process.wait(10)
        draw(screen, to / "watch-done.svg", "done")
    _draw_the_gap(story, to)


def _draw_the_gap(story: Story, to: Path) -> None:
    archive = story.home / "archive_with_a_gap"
    shutil.copytree(story.archive, archive)
    (archive / "00000001000000000000000B").unlink()
    for path in (archive, *archive.iterdir()):
        story.account.own(path)
    with story.restored(
        archive=archive, recovery_target_name=_RESTORE_POINT, recovery_target_action="promote"
    ) as cluster:
        screen = _watch(cluster)
        screen.wait_for("WILL FAIL")
        _start(cluster)
        screen.wait_for("to go")
        draw(screen, to / "watch-will-fail.svg", "a gap lies ahead")
        screen.wait_for("verdict: FAILED")
        screen.process.wait(10)
        draw(screen, to / "watch-failed.svg", "failed")


def _watch(cluster: Cluster) -> Screen:
    return Screen("--pgdata", str(cluster.data), columns=COLUMNS, rows=ROWS)


def _start(cluster: Cluster) -> None:
    with contextlib.suppress(ServerFailed):
        cluster.run("pg_ctl", "start", "-W", "-D", str(cluster.data), "-l", str(cluster.log), "-s")


def _wait(screen: Screen, holds: Callable[[str], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds(screen.text):
        assert time.monotonic() < deadline, screen.text
        time.sleep(0.05)


def main() -> None:
    to = Path(sys.argv[1]) if len(sys.argv) > 1 else _PICTURES
    to.mkdir(parents=True, exist_ok=True)
    account = server_account()
    _HOME.mkdir(mode=0o755)
    try:
        with InstallationFor(find_installation(MAJOR), account) as installation:
            draw_all(Story(installation, _HOME, account), to)
    finally:
        shutil.rmtree(_HOME)


if __name__ == "__main__":
    main()
