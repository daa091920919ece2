"""A file of any name and any content in an archive ends nothing: what can be judged is judged.

The names are those that PostgreSQL's resemble, the contents what such files hold when they are cut
short, overwritten or made up. The commands run here without a process of their own, so that an
exception is seen as it is and not as the last line of a command.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.cli import check, find, retention
from agent.config.model import ClusterConfig, Config
from agent.errors import CannotCheck
from agent.monitor.watched import WatchedCluster
from rules.model.findings import Verdict
from rules.verdict.check import load_catalogue
from tests.fix_tools import PATIENCE_SECONDS
from tests.unpack import unpack_tar

ARCHIVE = Path(__file__).parent.parent / "data" / "archives" / "good_15.tar.xz"
# Of this process, whatever else the machine does; none of ours takes a tenth of it. What waits for
# ever is for the test's own timeout.
EXAMPLES = int(os.environ.get("PITR_TEST_ANY_FILE", "8"))

File = tuple[str, bytes]
_NUMBERS = st.sampled_from(
    (0, 1, 2, 3, 8, 0x16, 0xFF, 0x100, 0xFFE, 0xFFF, 0x1000, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
) | st.integers(0, 0xFFFFFFFF)
_EIGHT = _NUMBERS.map(lambda number: f"{number:08X}")
_STORED = st.sampled_from(("", "", "", ".gz", ".bz2", ".xz", ".lz4", ".zst", ".lzma", ".gpg"))
_LSN = st.tuples(_NUMBERS, _NUMBERS).map(lambda pair: f"{pair[0]:X}/{pair[1]:X}")
# As the sample's backup has it, so that what is said of its stop is believed.
_START = "START WAL LOCATION: 0/A00028 (file 00000001000000000000000A)"
_CHECKPOINT = "CHECKPOINT LOCATION: 0/A00060"


@st.composite
def _labels(draw: st.DrawFn) -> bytes:
    stop = f"STOP WAL LOCATION: {draw(_LSN)} (file {draw(_EIGHT) + draw(_EIGHT) + draw(_EIGHT)})"
    lines = (_START, stop, _CHECKPOINT, "START TIMELINE: 1", f"STOP TIMELINE: {draw(_NUMBERS)}")
    return "\n".join((*lines, "")).encode()


@st.composite
def _histories(draw: st.DrawFn) -> bytes:
    lines = draw(st.lists(st.tuples(_NUMBERS, _LSN), max_size=4))
    return "".join(f"{timeline}\t{lsn}\tno recovery target specified\n" for timeline, lsn in
                   sorted(lines)).encode()  # fmt: skip


CONTENTS = st.one_of(
    st.just(b""),
    st.binary(max_size=200),
    st.sampled_from((8192, 1 << 20, (1 << 20) + 8)).map(bytes),
    _histories(),
    _labels(),
    st.sampled_from((b"SEGMENT", b"SEGMENT", b"HALF")),  # a real one's: see Archive.put
)


@st.composite
def names(draw: st.DrawFn) -> str:
    segment = draw(_EIGHT) + draw(_EIGHT) + draw(_EIGHT)
    name = draw(
        st.sampled_from(
            (
                segment,
                segment,
                f"{segment}.partial",
                f"{draw(_EIGHT)}.history",
                f"{segment}.{draw(_EIGHT)}.backup",
            )
        )
    )
    return name + draw(_STORED)


FILES = st.lists(st.tuples(names(), CONTENTS), min_size=1, max_size=4)


class Archive:
    """A sound backup and its archive, to which files are added and taken away again."""

    def __init__(self, directory: Path) -> None:
        unpack_tar(ARCHIVE, directory)
        self.backup = directory / "backup"
        self.archive = directory / "archive"
        self.segment = (self.archive / "00000001000000000000000A").read_bytes()
        an_hour_ago = time.time() - 3600
        self.times = (an_hour_ago, an_hour_ago)  # else what is cut short counts as in flight

    def put(self, directory: Path, files: list[File]) -> None:
        for path in self.archive.iterdir():
            os.link(path, directory / path.name)
        for name, content in files:
            content = {b"SEGMENT": self.segment, b"HALF": self.segment[:300_000]}.get(
                content, content
            )
            path = directory / name
            path.unlink(missing_ok=True)
            path.write_bytes(content)
            os.utime(path, self.times)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return Archive(tmp_path_factory.mktemp("sound"))


_once = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _run(body: Callable[[list[str]], int], *arguments: object) -> tuple[int, str]:
    """Status and output; what a command raises, this raises. One that never ends, pytest ends."""
    out = StringIO()
    with redirect_stdout(out):
        try:
            status = body([str(each) for each in arguments])
        except CannotCheck as error:  # one line for a person, and the status of unknown
            status = 3
            out.write(str(error))
    return status, out.getvalue()


HISTORY: list[File] = [
    ("FFFFFFFE.history", "".join(f"{n}\t{n:X}/0\tx\n" for n in range(1, 3000)).encode())
]
KNOWN: list[list[File]] = [
    [("00000002.history", b"")],
    [("0000000100000001FFFFFFFF", b"")],
    [("00000001FFFFFFFFFFFFFFFF", b"SEGMENT")],
    [("00000001FFFFFFFF00000FFF", b"")],
    [("00000001FFFFFFFF00000FFF", b"SEGMENT")],
    [("FFFFFFFFFFFFFFFF00000FFF", bytes(1 << 20)), ("FFFFFFFF.history", b"1\tFFFFFFFF/0\tx\n")],
    [("000000000000000000000009", b"SEGMENT")],
    HISTORY,
    [
        ("00000001000000000000000A.00000028.backup",
         f"{_START}\nSTOP WAL LOCATION: FFFFFFFF/FFF00028 (file 00000001FFFFFFFF00000FFF)\n"
         f"{_CHECKPOINT}\nSTART TIMELINE: 1\nSTOP TIMELINE: 9999999999\n".encode())
    ],
]  # fmt: skip


_FORMS = ("text", "nagios", "prometheus", "html")


def _look(sound: Archive, files: list[File], *forms: str) -> None:
    """What a person can ask of an archive on disk."""
    with TemporaryDirectory(dir=sound.archive.parent) as made:
        archive = Path(made)
        sound.put(archive, files)
        named = ("--archive", archive, "--backup", sound.backup)
        for form in ("json", *forms):
            depth = "records" if form == "json" else "names"
            status, out = _run(check._body, *named, "--format", form, "--depth", depth)
            assert status in (0, 1, 2, 3), out
            assert out.strip(), form
        for body in (find.body, retention.body):
            status, out = _run(body, *named, "--format", "json")
            assert status in (0, 1, 2, 3), out
            assert out.strip()


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(files, id=files[0][0], marks=pytest.mark.slow if files is HISTORY else ())
        for files in KNOWN
    ],
)
def test_what_once_ended_a_command_ends_none(sound: Archive, files: list[File]) -> None:
    _look(sound, files, *_FORMS)


@pytest.mark.slow
@_once
@given(files=FILES, form=st.sampled_from(_FORMS))
def test_no_file_ends_a_command(sound: Archive, files: list[File], form: str) -> None:
    _look(sound, files, form)


def _watch(sound: Archive, files: list[File]) -> WatchedCluster:
    """One scan of the agent's."""
    with TemporaryDirectory(dir=sound.archive.parent) as made:
        sound.put(Path(made), files)
        config = ClusterConfig.model_validate(
            {
                "name": "lab",
                "archives": [{"url": made}],
                "backups": {"url": str(sound.backup.parent / "backup")},
                "scan": "30s",
                "timeout": f"{PATIENCE_SECONDS:.0f}s",
                "depth": "records",
            }
        )
        (resolved,) = Config(clusters=(config,)).resolved()
        cluster = WatchedCluster(resolved, load_catalogue())
        try:
            asyncio.run(cluster.scan())
        finally:
            cluster.close()
    assert cluster.readings["archive"].succeeded
    assert cluster.judged_at is not None
    return cluster


@pytest.mark.parametrize("files", KNOWN, ids=lambda files: files[0][0])
def test_what_once_froze_the_agent_is_judged(sound: Archive, files: list[File]) -> None:
    cluster = _watch(sound, files)
    # A backup's own stop is believed before what a .backup file in the archive says of it.
    assert cluster.verdict is not Verdict.OK or files[0][0].endswith(".backup")
    assert "check_raised" not in {f.id for found in cluster.findings.values() for f in found}


@pytest.mark.slow
@_once
@given(files=FILES)
def test_no_file_ends_a_scan(sound: Archive, files: list[File]) -> None:
    _watch(sound, files)
