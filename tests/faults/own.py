"""What becomes of our own files, damaged, and of their writers, killed: the answer stays the same.

The ledger and the spool are caches: whatever is in them, the answer is as without them, of a sound
archive and of a damaged one. Of what the agent remembers each row is as it was put, or forgotten.
Evidence that was damaged is never called whole. Whoever was killed starts again by himself.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any, Final

from agent.archive.spool import SPOOL_NAME
from agent.cli.check import main as pitr_check
from agent.drill_schedule.history import DrillHistory
from agent.evidence.writer import CannotWriteEvidence
from agent.notify.memory import AlertMemory
from agent.state_file import StateFile
from tests.damaging import Fault, flip_byte, truncate
from tests.faults.ground import MAJOR
from tests.faults.kinds import OWN, Kind, flip_any, lengthen_by_bytes, zero_page
from tests.faults.programs import OURS, Said, settle
from tests.faults.trial import Score, Tried, tried
from tests.fix_agent import FAST, WatchedAgent
from tests.signing import Signed, draft, new_signed, wal_of
from tests.truth.damages import empty
from tests.truth.run import place
from tests.unpack import unpack_tar
from tests.waiting import wait_until

_DATA: Final = Path(__file__).parents[1] / "data"
_AGENT: Final = Path(sys.executable).parent / "pitr-agent"
_READ_AT: Final = ("verified_at", "oldest_read_at", "url")  # differ by their nature
_STARTED: Final = datetime(2026, 11, 1, tzinfo=UTC)
_ANY: Final[dict[str, Fault]] = {
    "a bit": flip_any, "cut": truncate, "half a page of zeros": zero_page,
    "lengthened": lengthen_by_bytes, "empty": empty,
}  # fmt: skip


@dataclass
class OwnFiles:
    """An archive, sound and damaged, and what our programs keep of it."""

    home: Path

    # -- the ground, made once -------------------------------------------------------------------

    @cached_property
    def sound(self) -> Path:
        unpack_tar(_DATA / "archives" / "good_15.tar.xz", self.home)
        settle(self.home / "archive")
        return self.home / "archive"

    @cached_property
    def damaged(self) -> Path:
        copy = Path(shutil.copytree(self.sound, self.home / "damaged"))
        flip_byte(sorted(copy.glob("0*[0-9A-F]"))[-4], Random(1))
        settle(copy)
        return copy

    def archive(self, rng: Random) -> Path:
        return rng.choice((self.sound, self.damaged))

    @cached_property
    def answers(self) -> dict[Path, object]:
        return {archive: self.answer(archive) for archive in (self.sound, self.damaged)}

    @cached_property
    def ledger(self) -> Path:
        path = self.home / "ledger.sqlite"
        for archive in (self.sound, self.damaged):
            self.answer(archive, path)
        return path

    @cached_property
    def state(self) -> Path:
        """What the agent remembers, in files as it writes them now."""
        unpack_tar(_DATA / "state" / "0.1.0.tar.xz", self.home)
        for name in ("alerts", "drills"):
            file = StateFile(self.home / f"closed/ledger-{name}.sqlite", name)
            for *key, value in list(file.rows()):
                file.put(tuple(key), value)  # type: ignore[arg-type]
            file.close()
        history = DrillHistory(self.home / "closed/ledger-drills.sqlite")
        for number in range(30):
            _drill(history, number)
        history.close()
        return self.home / "closed"

    @cached_property
    def evidence(self) -> Signed:
        signed = new_signed(self.home / "signed")
        for number in range(9):
            signed.writer(file_bytes=2000).write(draft(number, wal_of(*range(number + 1))))
        return signed

    def answer(self, archive: Path, ledger: Path | None = None) -> object:
        """What pitr-check says, without when it was read and where."""
        words = ["--archive", archive, "--backup", self.home / "backup", "--backup-depth", "label",
                 "--workers", "1", "--format", "json", "--now", "2026-12-01T00:00:00Z"]  # fmt: skip
        words += ["--ledger", ledger] if ledger else []
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()) as said:
            status = pitr_check([str(each) for each in words])
        assert "Traceback" not in said.getvalue(), said.getvalue()
        return status, _timeless(json.loads(out.getvalue()))

    def make(self) -> OwnFiles:
        """All of it, before it is used by several."""
        assert self.answers[self.sound] != self.answers[self.damaged]
        assert self.ledger and self.state and self.evidence
        return self

    # -- a case ----------------------------------------------------------------------------------

    def try_one(self, kind: Kind, seed: int) -> Tried:
        home = Path(tempfile.mkdtemp(prefix="f", dir=self.home))
        try:
            wrong = _CASES[kind.name](self, home, Random(f"{kind.name} {seed}"))
        except Exception:
            wrong = traceback.format_exc()
        finally:
            shutil.rmtree(home, ignore_errors=True)  # a helper may be about to tidy up
        said = Said(found=bool(wrong), text=wrong)
        scores = {OURS: Score(said.found, False, None)}
        return tried(kind, seed, MAJOR, False, False, scores, {OURS: said})

    def _of_ledger(self, fault: Fault, home: Path, rng: Random) -> str:
        ledger, archive = Path(shutil.copy(self.ledger, home)), self.archive(rng)
        fault(ledger, rng)
        return self._same_twice(archive, ledger)

    def _same_twice(self, archive: Path, ledger: Path) -> str:
        """With it, and with what it is after that."""
        answers = [self.answer(archive, ledger) for _ in range(2)]
        return "" if answers == [self.answers[archive]] * 2 else f"it says {answers}"

    def _of_ledger_writer(self, home: Path, rng: Random) -> str:
        archive, ledger = self.archive(rng), home / "ledger.sqlite"
        _killed(lambda: self.answer(archive, ledger), rng.uniform(0, 0.4))
        return self._same_twice(archive, ledger)

    def _of_drills(self, fault: Fault, home: Path, rng: Random) -> str:
        path = Path(shutil.copy(self.state / "ledger-drills.sqlite", home))
        before = _records(self.state / "ledger-drills.sqlite", home / "whole")
        fault(path, rng)
        history = DrillHistory(path)
        found = {json.dumps(asdict(each), default=str) for each in history.facts("lab").records}
        _drill(history, 99)
        history.close()
        new = {each for each in _records(path, home / "again") if '"seconds": 99.0' in each}
        return "" if found <= before and new else f"{found - before}, {len(new)} new"

    def _of_drills_writer(self, home: Path, rng: Random) -> str:
        path = home / "drills.sqlite"

        def write() -> None:
            history = DrillHistory(path)
            for number in range(10_000):
                _drill(history, number)

        _killed(write, rng.uniform(0, 0.3))
        history = DrillHistory(path)
        seconds = [each.seconds for each in history.facts("lab").records if each.ran]
        _drill(history, 99_999)
        history.close()
        kept = [each.seconds for each in DrillHistory(path).facts("lab").records if each.ran]
        # One that was begun is told of as killed, and takes the place of the oldest.
        whole = seconds == sorted(set(seconds)) and kept[-1] == 99_999.0
        whole = whole and seconds[-(len(kept) - 1) :] == kept[:-1] and len(kept) >= min(
            len(seconds), _KEPT - 2)  # fmt: skip
        return "" if whole or not seconds else f"{seconds}, then {kept}"

    def _of_alerts(self, fault: Fault, home: Path, rng: Random) -> str:
        source = self.state / "ledger-alerts.sqlite"
        path = Path(shutil.copy(source, home))
        before = _remembered(Path(shutil.copy(source, home / "whole")))
        fault(path, rng)
        other = [each for each in _remembered(path) if each not in before]
        return f"it remembers {other}" if other else ""

    def _of_evidence(self, fault: Fault, home: Path, rng: Random) -> str:
        copy = Signed(Path(shutil.copytree(self.evidence.home, home / "signed")))
        fault(rng.choice(copy.files), rng)
        if not copy.judge().problems and not self._has_all_statements(copy):
            return "it is called whole"
        with contextlib.suppress(CannotWriteEvidence):
            copy.writer().write(draft(99, wal_of(1, 2)))
        whole = not copy.judge().problems and not self._has_all_statements(copy)
        return "what followed made it whole" if whole else ""

    def _has_all_statements(self, copy: Signed) -> bool:
        """A piece at the end is what a writer that was killed leaves: the next takes it away."""
        return all(
            (copy.directory / file.name).read_bytes().startswith(file.read_bytes())
            for file in self.evidence.files
        )

    def _of_evidence_head(self, fault: Fault, home: Path, rng: Random) -> str:
        copy = Signed(Path(shutil.copytree(self.evidence.home, home / "signed")))
        (head,) = (p for p in copy.directory.iterdir() if "head" in p.name)
        fault(head, rng)
        copy.writer().write(draft(99, wal_of(1, 2)))
        whole = len(copy.judge().links) == len(self.evidence.judge().links) + 1
        return "" if whole else str(copy.judge().problems)

    def _of_evidence_writer(self, home: Path, rng: Random) -> str:
        signed = Signed(Path(shutil.copytree(self.evidence.home, home / "signed")))

        def write() -> None:
            for number in range(10_000):
                signed.writer(file_bytes=3000).write(draft(number, wal_of(number % 9)))

        _killed(write, rng.uniform(0, 0.1))
        if problems := signed.judge().problems:
            return f"after the kill: {problems}"
        signed.writer().write(draft(99, wal_of(1)))
        return str(signed.judge().problems or "")

    def _of_spool(self, home: Path, rng: Random) -> str:
        """A bit of a segment that was fetched ahead: it is fetched again."""
        data = home / "data"
        shutil.copytree(self.home / "backup" / "global", data / "global")
        (data / "pg_wal").mkdir()
        (data / "recovery.signal").touch()
        names = sorted(path.name for path in self.sound.glob("0*[0-9A-F]"))[4:]
        if self._fetch(data, names[0]) != (self.sound / names[0]).read_bytes():
            return f"{names[0]} is another"
        spool = data / "pg_wal" / SPOOL_NAME
        wait_until(lambda: (spool / names[2]).is_file(), "it is fetched ahead")
        ahead = rng.choice((spool / names[1], spool / names[2]))
        if ahead.exists():
            flip_any(ahead, rng)
        got = [self._fetch(data, name) for name in names[1:3]]
        same = got == [(self.sound / name).read_bytes() for name in names[1:3]]
        wait_until(lambda: not _busy(spool), "nothing is fetched any more")
        return "" if same else "what it hands over is not what the archive has"

    def _fetch(self, data: Path, name: str) -> bytes | None:
        command = [_AGENT, "fetch-wal", "--archive", self.sound, "--prefetch", "2", name]
        done = subprocess.run([*command, "pg_wal/RECOVERYXLOG"], cwd=data, capture_output=True)
        assert b"Traceback" not in done.stderr, done.stderr
        target = data / "pg_wal" / "RECOVERYXLOG"
        return target.read_bytes() if done.returncode == 0 else None

    def _of_agent(self, home: Path, rng: Random) -> str:
        """Killed at any moment, it says of the archive what is so when it is started again."""
        archive = self.archive(rng)
        cluster = {"name": "lab", "archives": [{"url": str(archive)}],
                   "backups": {"url": str(self.home / "backup")}}  # fmt: skip
        config = {"clusters": [cluster], "defaults": FAST | {"timeout": "300s"},
                  "ledger": str(home / "ledger.sqlite")}  # fmt: skip
        agent = WatchedAgent(home)
        killed_after = rng.uniform(0, 4)
        agent.start(config)
        try:
            time.sleep(killed_after)  # the moment is the case's, nothing is told by it
            os.kill(agent.pid, signal.SIGKILL)  # type: ignore[arg-type]
            agent.stop()
            agent.start(config)
            # What it has not looked at yet it does not call fine: it says that it does not know.
            page = agent.wait_for(lambda page: page.total("pitr_check_known", id="wal_damaged"))
            damaged = page.total("pitr_finding", id="wal_damaged") or 0
            text = agent.log.read_text()
        finally:
            agent.stop()
        if "Traceback" in text:
            return text
        return "" if bool(damaged) is (archive == self.damaged) else f"{damaged} damaged"


_KEPT: Final = 20


def _drill(history: DrillHistory, number: int) -> None:
    from rules.drill.records import DrillRecord

    at = _STARTED + timedelta(hours=number)
    history.begin("lab", at)
    record = DrillRecord(started_at=at, seconds=float(number), outcome="promoted", agrees=True,
                         backup="/b", target="time 2026-11-01", lsn=number << 20)  # fmt: skip
    history.end("lab", record, _KEPT)


def _records(path: Path, copy: Path) -> set[str]:
    history = DrillHistory(Path(shutil.copy(path, copy)))
    found = {json.dumps(asdict(each), default=str) for each in history.facts("lab").records}
    history.close()
    return found


def _remembered(path: Path) -> list[object]:
    memory = AlertMemory(path)
    found: list[object] = []
    for cluster in memory.clusters:
        found += [(cluster, each) for each in memory.alerts_of(cluster).items()]
        found += [(cluster, memory.trail_of(cluster)), (cluster, memory.cuts_of(cluster))]
    for receiver in list(memory._waiting):
        found += [(receiver, each) for each in memory.waiting(receiver).items()]
    memory.close()
    return [each for each in found if each[1] is not None]  # type: ignore[index]


def _killed(work: Callable[[], object], seconds: float) -> None:
    """Fork a process that does it, and kill it after so long."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    time.sleep(seconds)  # the moment is the case's, nothing is told by it
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(each) for key, each in value.items() if key not in _READ_AT}
    return [_timeless(each) for each in value] if isinstance(value, list) else value


def _busy(spool: Path) -> bool:
    return any(path.name.endswith((".begun", ".tmp")) for path in spool.iterdir())


Case = Callable[[OwnFiles, Path, Random], str]


def _each(what: str, method: Callable[..., str]) -> Iterator[tuple[str, Case]]:
    for said, fault in _ANY.items():
        yield f"{what}: {said}", lambda own, home, rng, fault=fault: method(own, fault, home, rng)


_CASES: Final[dict[str, Case]] = {
    **dict(_each("the ledger", OwnFiles._of_ledger)),
    **dict(_each("drills", OwnFiles._of_drills)),
    **dict(_each("alerts", OwnFiles._of_alerts)),
    **dict(_each("statements", OwnFiles._of_evidence)),
    **dict(_each("their head", OwnFiles._of_evidence_head)),
    "a segment fetched ahead: a bit": OwnFiles._of_spool,
    "SIGKILL: writer of a ledger": OwnFiles._of_ledger_writer,
    "SIGKILL: writer of drills": OwnFiles._of_drills_writer,
    "SIGKILL: writer of statements": OwnFiles._of_evidence_writer,
    "SIGKILL: the agent": OwnFiles._of_agent,
}
SLOW: Final = ("a segment fetched ahead: a bit", "SIGKILL: the agent")  # processes of their own
KINDS: Final = tuple(
    Kind(OWN, name, lambda root, rng, first: None, healthy=True) for name in _CASES
)


@contextlib.contextmanager
def own_files() -> Iterator[OwnFiles]:
    """Make them, and remove them."""
    from agent.postgres.account import server_account

    with place(server_account()) as home:
        yield OwnFiles(home).make()
