"""Odd backup_labels and tablespace_maps, put to a real server: it refuses what we refuse."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from parsers.errors import ParseError
from parsers.files.backup_label import parse_backup_label
from parsers.files.tablespace_map import parse_tablespace_map
from tests.fix_postgres import NewCluster

OID = 16999  # of no tablespace: nothing looks into it
NO_DATA = "invalid data in file"


@dataclass
class Restored:
    """A plain backup with its own WAL, and what a server makes of it in single-user mode."""

    cluster: Cluster
    backup: Path
    space: Path  # for a tablespace

    def fatal(self, **files: bytes) -> tuple[str | None, dict[str, str]]:
        """(the first FATAL, if there is one; the links in pg_tblspc afterwards)."""
        data = self.backup.with_name("data")
        subprocess.run(["rm", "-rf", data], check=True)
        self.cluster.run("/bin/cp", "-a", "--reflink=auto", str(self.backup), str(data))
        for name, content in files.items():
            (data / name).write_bytes(content)
            self.cluster.account.own(data / name)
        done = subprocess.run(
            [self.cluster.installation.program("postgres"), "--single", "-D", data, "template1"],
            input=b"", capture_output=True, **self.cluster.account.popen_options(),
        )  # fmt: skip
        said = done.stderr.decode("utf-8", "replace")
        links = {each.name: str(each.readlink()) for each in (data / "pg_tblspc").iterdir()}
        return next((line for line in said.splitlines() if "FATAL: " in line), None), links

    @property
    def label(self) -> bytes:
        return (self.backup / "backup_label").read_bytes()


@pytest.fixture
def restored(
    pg: Installation, new_cluster: NewCluster, base_backup_programs: dict[int, Path]
) -> Restored:
    cluster = new_cluster(pg, archive=False)
    backup = cluster.home / "backup"
    cluster.base_backup(backup, program=base_backup_programs[pg.major])
    cluster.stop()
    return Restored(cluster, backup, cluster.account.make_directory(cluster.home / "space"))


def odd_labels(label: bytes) -> dict[str, bytes]:
    lines = label.split(b"\n")
    high, low = lines[0].split()[3].split(b"/")
    segment = lines[0].split()[5].rstrip(b")")
    return {
        "untouched": label,
        "white space": label.replace(b": ", b":\t\v ", 2).replace(b" (file ", b"(file"),
        "a sign": label.replace(high + b"/" + low, b"+" + high + b"/+" + low),
        "0x": label.replace(high + b"/" + low, b"0x" + high + b"/0X" + low),
        "a long number": label.replace(b"/" + low, b"/" + b"0" * 40 + low),
        "lower case": label.replace(b"/" + low, b"/" + low.lower()),
        "a segment that is none": label.replace(segment, segment[:8] + b"anything"),
        "a short segment": label.replace(segment, segment[:20]),
        "apart": label.replace(segment, segment[:8] + b" " + segment[8:]),
        "line ends of Windows": label.replace(b"\n", b"\r\n"),
        "and of the last lines": b"\n".join(lines[:2]) + b"\n" + b"\r\n".join(lines[2:]),
        "no end of line 2": b"\n".join(lines[:2]),
        "nothing after it": b"\n".join(lines[:2]) + b"\n",
        "a NUL": label.replace(b"CHECKPOINT", b"\0CHECKPOINT"),
        "a NUL in the label": label.replace(b"LABEL: ", b"LABEL: \0"),
        "another timeline": label.replace(b"TIMELINE: 1", b"TIMELINE: 2"),
        "its sum": label.replace(b"TIMELINE: 1", b"TIMELINE: -4294967295"),
        "of lines that are gone": label.replace(b"BACKUP METHOD: streamed\n", b"").replace(
            b"TIMELINE: 1", b"TIMELINE: 2"),
        "an empty line": label.replace(b"\nBACKUP", b"\n\n\nBACKUP").replace(
            b"TIMELINE: 1", b"TIMELINE: 2"),
        "incremental": label + b"INCREMENTAL FROM LSN: 0/28\n",
        "half of it": label + b"INCREMENTAL FROM LSN: 0\n",
        "out of reach": label + b"junk\nINCREMENTAL FROM LSN: 0/28\n",
    }  # fmt: skip


@pytest.mark.pg(">= 15")
def test_a_label_is_refused_by_both(pg: Installation, restored: Restored) -> None:
    told = {}
    for name, label in odd_labels(restored.label).items():
        fatal, _ = restored.fatal(backup_label=label)
        ours: str | None = None
        try:
            read = parse_backup_label(label, major=pg.major)
        except ParseError:
            ours = NO_DATA
        else:
            if pg.major >= 17 and read.incremental_from_lsn is not None:
                ours = "this is an incremental backup"
        told[name] = (fatal, ours)
    wrong = {
        name: (fatal, ours)
        for name, (fatal, ours) in told.items()
        if bool(fatal) is not bool(ours) or (ours or "") not in (fatal or "")
    }
    assert not wrong
    assert len([ours for _, ours in told.values() if ours]) >= 6


@pytest.mark.pg(">= 13", npm=True)
def test_a_map_makes_the_links_that_we_read(pg: Installation, restored: Restored) -> None:
    place = bytes(restored.space)
    line = b"%d %b\n" % (OID, place)
    odd = {
        "untouched": line,
        "empty": b"",
        "no end": line[:-1],
        "line ends of Windows": line[:-1] + b"\r\n",
        "old ones": line[:-1] + b"\r",
        "an empty line": b"\n" + line,
        "escaped": line.replace(b"s", b"\\s"),
        "a line end in the path": line.replace(b"space", b"sp\\\nace"),
        "a backslash at the end": line[:-1] + b"\\",
        "two spaces": line.replace(b" ", b"  "),
        "a tab": line.replace(b" ", b"\t"),
        "no path": b"%d \n" % OID,
        "no OID": b" %b\n" % place,
        "a sign": b"+" + line,
        "minus": b"-%d %b\n" % ((1 << 32) - OID, place),
        "zeros": b"000" + line,
        "too many digits": b"%d%b" % (1 << 64, line),
        "a letter": line.replace(b" ", b"x "),
        "a NUL": line.replace(b" ", b"\0"),
        "a NUL in the path": line.replace(b"space", b"sp\0ce"),
        "a long path": b"%d %b\n" % (OID, b"/directory" * 110),
    }
    if pg.major == 13:
        del odd["a long path"]  # it writes beyond its buffer
    wrong = {}
    for name, content in odd.items():
        fatal, links = restored.fatal(tablespace_map=content)
        try:
            ours = {str(each.oid): each.path for each in
                    parse_tablespace_map(content, major=pg.major)}  # fmt: skip
        except ParseError:
            # To 16 it also makes links that nothing looks for.
            same = bool(fatal) or (pg.major < 17 and str(OID) not in links)
        else:
            same = not fatal and links == ours
        if not same:
            wrong[name] = (fatal, links)
    assert not wrong
