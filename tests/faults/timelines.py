"""Faults in timeline histories: judged by restores to the latest timeline and to each by number.

The archive is of three timelines, each left from the one before. What a real server does with a
damaged history is asked once of each content, and so is what is said of it: a file of a hundred
bytes can be cut in a hundred ways.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Final

from agent.backups.tablespaces import find_location
from agent.postgres.account import Account, server_account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation, InstallationFor
from rules.model.goal import read_goal
from rules.model.restore_inputs import Server
from rules.model.target import Target
from rules.recovery.predictor import simulate
from tests.damaging import rewrite
from tests.faults.kinds import HISTORY, Kind, segments
from tests.faults.programs import OURS, Said, ask_us, changed, link_copy, settle
from tests.faults.trial import Score, Tried, tried
from tests.fix_postgres import list_servers
from tests.histories import SETTINGS, Life, begin_life, commit, fork
from tests.restoring import Observed, disagreements, read_restore, restore
from tests.truth.run import place

_TIMELINES: Final = ("latest", "2", "3")

# -- the faults -----------------------------------------------------------------------------------


def _of_one(change: Callable[[list[bytes], Random], list[bytes] | None]) -> Callable[..., None]:
    """Change the lines of one history; None: it goes."""

    def damage(archive: Path, rng: Random, first: str) -> None:
        history = rng.choice(sorted(archive.glob("*.history")))
        changed = change(history.read_bytes().splitlines(keepends=True), rng)
        if changed is None:
            history.unlink()
        else:
            rewrite(history, b"".join(changed))

    return damage


def _flip(lines: list[bytes], rng: Random) -> list[bytes]:
    data = bytearray(b"".join(lines))
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return [bytes(data)]


def _cut(lines: list[bytes], rng: Random) -> list[bytes]:
    data = b"".join(lines)
    return [data[: rng.randrange(len(data))]]


def _garble(lines: list[bytes], rng: Random) -> list[bytes]:
    at = rng.randrange(len(lines))
    line = lines[at]
    lines[at] = rng.choice((
        b"x\t0/1000000\twhy\n", b"1\n", line[:-1], line * 2, line.replace(b"\t", b""),
        line.replace(b"/", b""), b"\xff\xfe" + line, b"-" + line, line.replace(b"0/", b"0x0/"),
        rng.randbytes(12) + b"\n", line[: len(line) // 2], line + bytes(9) + b"\n",
    ))  # fmt: skip
    return lines


def _reorder(lines: list[bytes], rng: Random) -> list[bytes]:
    """Lines in another order, one twice, or one that stands below an older one."""
    found = [line for line in lines if line.strip()]
    return rng.choice((found[::-1], found + found[:1], [b"9\t0/1000000\tx\n", *found]))


def _other_parent(lines: list[bytes], rng: Random) -> list[bytes]:
    number, _, rest = lines[-1].partition(b"\t")
    others = [each for each in (b"1", b"2", b"3", b"4", b"77") if each != number]
    return [*lines[:-1], rng.choice(others) + b"\t" + rest]


def _other_switch(lines: list[bytes], rng: Random) -> list[bytes]:
    """Left at another place: earlier or later, by bytes, by segments, or nowhere near."""
    number, lsn, rest = lines[-1].split(b"\t", 2)
    high, _, low = lsn.partition(b"/")
    at = int(low, 16) + rng.choice((8, -8, 1 << 20, -(1 << 20), 3 << 20, 1 << 29))
    return [*lines[:-1], b"%b\t%b/%X\t%b" % (number, high, max(at, 0), rest)]


def _harmless_words(lines: list[bytes], rng: Random) -> list[bytes]:
    """What the server passes over, or reads alike."""
    return rng.choice((
        [b"# by hand\n", *lines], [b"\n", *lines], [*lines, b"\n\n"], [*lines, b"  # end\n"],
        [line.replace(b"\n", b"\r\n") for line in lines],
        [line.replace(b"\t", b"  ") for line in lines],
        [line.partition(b"/")[0] + b"/" + line.partition(b"/")[2].lower() for line in lines],
        [b"".join(lines).rstrip(b"\n")], [line.rpartition(b"\t")[0] + b"\tx\n" for line in lines],
    ))  # fmt: skip


def _strangers(archive: Path, rng: Random, first: str) -> None:
    """Names that no server asks for."""
    for name in ("00000004.history.tmp", "00000004.history.partial", "4.history", ".00000004.swp"):
        (archive / name).write_bytes(rng.choice((b"", b"3\t0/1\tx\n", rng.randbytes(40))))


def _add_stray(archive: Path, rng: Random, first: str) -> None:
    """The next one: one after a gap is what is left where its neighbour was removed.

    Where the parent's WAL ends, a server that was just promoted leaves the same: that is missed.
    """
    parent, lsn = (
        rng.choice((1, 2, 3, 4, 77)),
        rng.randrange(1, 24) << rng.choice((12, 20)) | 0x1238,
    )
    (archive / "00000004.history").write_text(f"{parent}\t0/{lsn:X}\tstray\n")


KINDS: Final = (
    Kind(HISTORY, "untouched", lambda root, rng, first: None, healthy=True),
    Kind(HISTORY, "strange names beside", _strangers, healthy=True),
    Kind(HISTORY, "comments, blanks, other line ends", _of_one(_harmless_words)),
    Kind(HISTORY, "removed", _of_one(lambda lines, rng: None)),
    Kind(HISTORY, "cut", _of_one(_cut)),
    Kind(HISTORY, "empty", _of_one(lambda lines, rng: [])),
    Kind(HISTORY, "all zeros", _of_one(lambda lines, rng: [bytes(len(b"".join(lines)))])),
    Kind(HISTORY, "a bit", _of_one(_flip)),
    Kind(HISTORY, "a line garbled", _of_one(_garble)),
    Kind(HISTORY, "lines out of order", _of_one(_reorder)),
    Kind(HISTORY, "another parent", _of_one(_other_parent)),
    Kind(HISTORY, "left at another place", _of_one(_other_switch)),
    Kind(HISTORY, "one more, of nobody's timeline", _add_stray),
)


# -- the evidence and the judge -------------------------------------------------------------------


@dataclass
class Timelines:
    """An archive of three timelines and a backup of the first; faults are put into copies."""

    home: Path
    account: Account
    installation: Installation
    archive: Path
    backup: Path
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def try_one(self, kind: Kind, seed: int) -> Tried:
        home = Path(tempfile.mkdtemp(prefix="f", dir=self.home))
        try:
            home.chmod(0o755)
            copy = home / "archive"
            link_copy(self.archive, copy)
            kind.damage(copy, Random(f"{kind.part} {kind.name} {seed}"), "")
            copy.chmod(0o755)
            settle(copy)
            others = set(copy.iterdir()) - set(segments(copy))
            known = self.home / f"{_digest(others, kind.healthy)}.judged"
            if not known.exists():
                self._keep(known, self._judge(kind, seed, copy))
            return replace(pickle.loads(known.read_bytes()), kind=kind.name, seed=seed)
        finally:
            shutil.rmtree(home)

    def _keep(self, known: Path, made: object) -> None:
        new = known.with_suffix(f".{os.getpid()}-{next(self.numbers)}")
        new.write_bytes(pickle.dumps(made))
        new.rename(known)

    def _judge(self, kind: Kind, seed: int, copy: Path) -> Tried:
        names = changed(self.archive, copy)
        names += sorted({path.name for path in copy.glob("0*.history")} - _names(self.archive))
        said = self._ask(copy)
        happened = self.observe(copy)
        harmful = _ends(happened) != _ends(self.observe(self.archive))
        # What says of a fork what is not so may be called damaged, though all restores end alike.
        harmful = not kind.healthy and (harmful or (said.found and self._lies(copy)))
        wrong = [
            text for each, seen in happened.items() for text in self._unforeseen(copy, each, seen)
        ]
        named = said.found and any(name in said.text for name in names)
        scores = {OURS: Score(said.found, named, not wrong)}
        said = replace(said, text=" ".join(wrong) + said.text)
        return tried(kind, seed, self.installation.major, harmful, True, scores, {OURS: said})

    def _ask(self, copy: Path) -> Said:
        """All that is said of it: of the latest timeline, and of each."""
        words = ("--archive", copy, "--backup", self.backup, "--backup-depth", "label")
        answers = [ask_us(*words, "--timeline", each) for each in _TIMELINES]
        return Said(
            found=any(each.found for each in answers), text="".join(each.text for each in answers)
        )

    def _lies(self, copy: Path) -> bool:
        """Whether a history has other numbers than the one that the server wrote."""
        return any(
            _numbers_in(copy / path.name) != _numbers_in(path)
            for path in self.archive.glob("*.history")
        )

    def _unforeseen(self, copy: Path, timeline: str, seen: Observed) -> list[str]:
        major = self.installation.major
        server = Server(major=major, locate=partial(find_location, major=major))
        target = Target(timeline=timeline)
        outcome = simulate(read_restore(self.backup, copy, server), read_goal(target))
        return [f"{timeline}: {each}" for each in disagreements(outcome, seen)]

    def observe(self, archive: Path) -> dict[str, Observed]:
        """What real restores do with it; one of the same content has been asked already."""
        known = self.home / f"{_digest(archive.glob('*.history'))}.known"
        if not known.exists():
            self._keep(known, {each: self._restore(archive, each) for each in _TIMELINES})
        return pickle.loads(known.read_bytes())  # type: ignore[no-any-return]

    def _restore(self, archive: Path, timeline: str) -> Observed:
        home = Path(tempfile.mkdtemp(prefix="r", dir=self.home))
        home.chmod(0o755)
        try:
            cluster = Cluster(self.installation, home / "c", self.account)
            return restore(cluster, self.backup, archive, Target(timeline=timeline))
        finally:
            shutil.rmtree(home, ignore_errors=True)


def _digest(files: Iterable[Path], *more: object) -> str:
    digest = hashlib.sha256(repr(more).encode())
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _numbers_in(history: Path) -> list[tuple[bytes, ...]]:
    data = history.read_bytes() if history.exists() else b""
    return re.findall(rb"(?mi)^\s*(\d+)\s*([0-9a-f]+)/([0-9a-f]+)", data)


def _names(archive: Path) -> set[str]:
    return {path.name for path in archive.iterdir()}


def _ends(happened: dict[str, Observed]) -> list[object]:
    return [
        (bool(each.fatal), each.redo_done_lsn, each.new_timeline, each.rows)
        for each in happened.values()
    ]


@contextlib.contextmanager
def timelines(major: int) -> Iterator[Timelines]:
    """Make it, and remove it."""
    account = server_account()
    with place(account) as home, InstallationFor(list_servers()[major], account) as installation:
        archive = account.make_directory(home / "archive")
        backup = home / "backup"
        life = _begin(Cluster(installation, home / "t1", account), archive, backup)
        for number in (2, 3):
            life = _leave(life, Cluster(installation, home / f"t{number}", account), backup)
        for path in home.glob("t?"):
            shutil.rmtree(path)
        settle(archive)
        made = Timelines(home, account, installation, archive, backup)
        made.observe(archive)
        yield made


def _begin(cluster: Cluster, archive: Path, backup: Path) -> Life:
    cluster.initdb(segment_mib=1)
    cluster.configure(
        **{"archive_mode": "on", "archive_command": f"cp %p {archive}/%f", "fsync": False,
           "timezone": "UTC", "log_timezone": "UTC", **SETTINGS}
    )  # fmt: skip
    cluster.start()
    life = begin_life(cluster, archive, 1)
    life.take_backup(backup, lambda connection: commit(life, connection))
    return _go_on(life)


def _leave(life: Life, cluster: Cluster, backup: Path) -> Life:
    """The next timeline: from before the last commit of this one."""
    row = sorted(life.rows)[-2]
    target = Target(type="xid", value=str(life.rows[row]), timeline="latest")
    return _go_on(fork(life, cluster, backup, target, 1))


def _go_on(life: Life) -> Life:
    with life.connect() as connection:
        for number in range(6):
            commit(life, connection)
            if number in (1, 3):
                life.archive_now(connection)
    life.finish()
    return life
