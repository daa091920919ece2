"""Another cluster archives into this cluster's archive, over a segment of the same name.

It is another initdb indeed, brought to the same WAL position with pg_resetwal: every address on
its pages is right, and only the system identifier tells.
"""

from __future__ import annotations

import shutil
from typing import Final

from agent.lab.errors import LabFailed
from agent.lab.faults.archived_segment import choose_middle_segment, put_back, set_aside
from agent.lab.faults.fault import Fault
from agent.lab.laboratory import Laboratory, is_segment, wait_until
from agent.lab.primary import copy_command
from agent.postgres.cluster import Cluster
from parsers.sentences import tr

_WAIT_SECONDS: Final = 30.0


def _break_it(lab: Laboratory) -> str:
    if not lab.installation.has("pg_resetwal"):
        raise LabFailed(
            tr("this fault needs pg_resetwal, which {bindir} lacks", bindir=lab.installation.bindir)
        )
    segment = choose_middle_segment(lab)
    set_aside(lab, segment)
    before = segment.stat().st_mtime_ns
    stranger = lab.new_cluster("stranger")
    stranger.initdb(segment_mib=segment.stat().st_size >> 20)
    _continue_at(stranger, segment.name)
    stranger.configure(archive_mode="on", archive_command=copy_command(lab))
    lab.start(stranger)
    identifier = stranger.sql("SELECT system_identifier FROM pg_control_system()")[0][0]
    stranger.sql("CREATE TABLE pedidos AS SELECT generate_series(1, 100) AS id")
    stranger.sql("SELECT pg_switch_wal()")
    done = stranger.data / "pg_wal" / "archive_status" / f"{segment.name}.done"
    arrived = wait_until(
        lambda: done.exists() and segment.stat().st_mtime_ns != before, _WAIT_SECONDS
    )
    stranger.stop("immediate")
    shutil.rmtree(stranger.data)
    if not arrived:
        why = tr("the other cluster did not archive {segment}", segment=segment.name)
        raise LabFailed(why, log=stranger.log)
    return tr(
        "the cluster {identifier} archived its own {segment} over the one of this cluster",
        identifier=identifier,
        segment=segment.name,
    )


def _continue_at(cluster: Cluster, segment: str) -> None:
    """Have a fresh, stopped cluster write its next WAL into `segment`.

    pg_resetwal continues after the last segment it finds, and initdb leaves some ahead.
    """
    for path in (cluster.data / "pg_wal").iterdir():
        if is_segment(path):
            path.unlink()
    cluster.run("pg_resetwal", "-l", segment, str(cluster.data))


WRONG_CLUSTER: Final = Fault(
    name="wrong-cluster",
    summary=tr("another cluster archives over a segment of this one"),
    findings=frozenset({"foreign_system"}),
    break_it=_break_it,
    mend=put_back,
)
