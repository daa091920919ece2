"""Several starts in one log: the summary is of the last, whatever refused the ones before it.

Each start here is one of a real server, on one directory, into one log.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.config.model import ClusterConfig, Config
from agent.monitor.recovery_log import RecoveryLog
from agent.postgres.cluster import Cluster, ServerFailed
from tests.integration.restores import (
    Restored,
    Story,
    down,
    paused,
    promoted,
    promoted_or_down,
    watch,
)
from tests.waiting import wait_until

ONE_RELEASE = pytest.mark.pg("== 16")
Refusal = Callable[[Cluster], contextlib.AbstractContextManager[None]]


def of_setting(name: str, wrong: str) -> Refusal:
    @contextlib.contextmanager
    def refusal(cluster: Cluster) -> Iterator[None]:
        with kept(cluster.data / "postgresql.auto.conf"):
            cluster.configure(**{name: wrong})
            yield

    return refusal


@contextlib.contextmanager
def kept(path: Path) -> Iterator[None]:
    """A file that is as it was afterwards."""
    content = path.read_bytes()
    yield
    path.write_bytes(content)


@contextlib.contextmanager
def living_process(cluster: Cluster) -> Iterator[int]:
    """A process of the server's account, whose id a lock file may hold."""
    with subprocess.Popen(["sleep", "600"], **cluster.account.popen_options()) as process:
        try:
            yield process.pid
        finally:
            process.kill()


@contextlib.contextmanager
def lock_file(cluster: Cluster) -> Iterator[None]:
    with living_process(cluster) as pid:
        lock = cluster.data / "postmaster.pid"
        lock.write_text(f"{pid}\n{cluster.data}\n1\n5432\n{cluster.sockets}\n\n\n")
        cluster.account.own(lock)
        yield
        lock.unlink()


@contextlib.contextmanager
def socket_lock(cluster: Cluster) -> Iterator[None]:
    with living_process(cluster) as pid:
        lock = cluster.sockets / ".s.PGSQL.5432.lock"
        lock.write_text(f"{pid}\n{cluster.data}\n1\n5432\n{cluster.sockets}\n\n\n")
        cluster.account.own(lock)
        yield
        lock.unlink()


@contextlib.contextmanager
def port_in_use(cluster: Cluster) -> Iterator[None]:
    configuration = cluster.data / "postgresql.auto.conf"
    with socket.create_server(("127.0.0.1", 0)) as taken, kept(configuration):
        cluster.configure(listen_addresses="127.0.0.1", port=taken.getsockname()[1])
        yield


@contextlib.contextmanager
def permissions(cluster: Cluster) -> Iterator[None]:
    cluster.data.chmod(0o755)
    yield
    cluster.data.chmod(0o700)


@contextlib.contextmanager
def damaged_control_file(cluster: Cluster) -> Iterator[None]:
    control = cluster.data / "global" / "pg_control"
    with kept(control):
        whole = control.read_bytes()
        control.write_bytes(whole[:100] + bytes([whole[100] ^ 0xFF]) + whole[101:])
        yield


REFUSALS: dict[str, Refusal] = {
    "bad_setting": of_setting("recovery_target_time", "soon"),
    "two_targets": of_setting("recovery_target_xid", "9"),
    "missing_library": of_setting("shared_preload_libraries", "no_such_library"),
    "lock_file": lock_file,
    "socket_lock": socket_lock,
    "port_in_use": port_in_use,
    "permissions": permissions,
    "damaged_control_file": damaged_control_file,
}


def refuse(cluster: Cluster, way: str) -> None:
    with REFUSALS[way](cluster), pytest.raises(ServerFailed):
        cluster.start()


@pytest.fixture
def restored(restore_story: Story) -> Iterator[Restored]:
    """The story's backup, laid out to be restored, not started yet."""
    story = restore_story
    home = story.primary.home.parent / f"r{next(story.restores)}"
    cluster = Cluster(story.primary.installation, home, story.primary.account)
    cluster.restore_from(
        story.backup,
        restore_command=f"cp {story.archive}/%f %p",
        fsync=False,
        recovery_target_name=story.restore_point,
        recovery_target_action="promote",
    )
    try:
        yield Restored(cluster=cluster, notes=home / "notes")
    finally:
        cluster.stop("immediate")
        shutil.rmtree(home, ignore_errors=True)


def promote(cluster: Cluster) -> None:
    cluster.start()
    wait_until(lambda: promoted_or_down(cluster))


def outcomes(cluster: Cluster) -> tuple[str, str | None, int]:
    """What pitr-watch says of the log, and what the agent takes for the last restore's verdict."""
    lines, status = watch("--log", str(cluster.log), "--once")
    (resolved,) = Config(clusters=(ClusterConfig(name="c", log=cluster.log),)).resolved()
    log = RecoveryLog(resolved)
    last = log.read().last
    return lines[-1]["outcome"], last.summary.outcome if last else None, status


# A session that says that the server is shut down may go on with such a FATAL of its own.
OF_SESSIONS_TOO = {"missing_library"}
NO_PROCESS = {"%m ", ""}


# The prefix tells the process, or nothing does; a refused configuration's is the default's.
@ONE_RELEASE
@pytest.mark.parametrize("prefix", ["%m [%p] ", "%t:%r:%u@%d:[%p]: ", "%m ", ""])
@pytest.mark.parametrize("way", REFUSALS)
def test_the_last_of_several_starts_is_judged(restored: Restored, way: str, prefix: str) -> None:
    cluster = restored.cluster
    cluster.configure(log_line_prefix=prefix)
    refuse(cluster, way)
    assert outcomes(cluster) == ("failed", "failed", 2)
    refuse(cluster, way)
    promote(cluster)
    assert outcomes(cluster) == ("promoted", "promoted", 0)
    cluster.stop()
    refuse(cluster, way)
    if way in OF_SESSIONS_TOO and prefix in NO_PROCESS:
        assert outcomes(cluster)[::2] == (None, 3)
    else:
        assert outcomes(cluster) == ("failed", "failed", 2)
    cluster.start()
    assert outcomes(cluster)[::2] == ("promoted", 0)


@ONE_RELEASE
@pytest.mark.parametrize("way", ["bad_setting", "two_targets", "lock_file", "permissions"])
def test_a_second_start_that_is_refused_does_not_end_the_first(
    restored: Restored, way: str
) -> None:
    cluster = restored.cluster
    cluster.configure(recovery_target_action="pause")
    cluster.start()
    wait_until(lambda: paused(cluster))
    second_start(cluster, way)
    cluster.sql("SELECT pg_wal_replay_resume()")
    wait_until(lambda: promoted(cluster))
    assert outcomes(cluster) == ("promoted", "promoted", 0)
    second_start(cluster, way)
    assert outcomes(cluster) == ("promoted", "promoted", 0)


def second_start(cluster: Cluster, way: str) -> None:
    """A start beside the running server, which is not touched."""
    refusal = contextlib.nullcontext() if way == "lock_file" else REFUSALS[way](cluster)
    options = cluster.account.popen_options()
    with refusal, cluster.log.open("ab") as log:
        result = subprocess.run(
            [cluster.installation.program("postgres"), "-D", cluster.data],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options,
        )  # fmt: skip
    assert result.returncode


@ONE_RELEASE
@pytest.mark.parametrize("way", REFUSALS)
def test_a_refused_start_after_a_failed_restore_leaves_it_failed(
    restored: Restored, way: str
) -> None:
    cluster = restored.cluster
    with kept(cluster.data / "postgresql.auto.conf"):
        cluster.configure(recovery_target_name="never_made")
        with contextlib.suppress(ServerFailed):
            cluster.start()
        wait_until(lambda: down(cluster))
    assert outcomes(cluster) == ("failed", "failed", 2)
    refuse(cluster, way)
    assert outcomes(cluster) == ("failed", "failed", 2)
    promote(cluster)
    assert outcomes(cluster) == ("promoted", "promoted", 0)
