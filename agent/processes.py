"""Processes of our own that read segments: started, or said why they cannot be.

They come from a fork server: the parent has threads and libpq connections, which a fork would tear.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerContext
from multiprocessing.spawn import get_executable
from typing import Final

from agent.errors import NoProcess
from parsers.sentences import message_of, tr

_CANNOT: Final = tr("cannot start the processes that read segments: {why}")
_TRY_SECONDS: Final = 60.0
_SHARED_MEMORY: Final = "/dev/shm"
_SAFE_PATH: Final = "PYTHONSAFEPATH"


def fork_server(preload: Sequence[str] = ()) -> ForkServerContext:
    """What starts processes; it has imported the modules `preload`. Raises NoProcess.

    It and all that it starts never hear of Ctrl-C: that is for us, who end them.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    with starting(), _from_where_we_are_installed():
        resource_tracker.ensure_running()  # which ends with the signal unblocked
        with _deaf():
            forkserver.ensure_running()
    return context


@contextlib.contextmanager
def _from_where_we_are_installed() -> Iterator[None]:
    """What is started here imports nothing of the directory that somebody happens to be in.

    multiprocessing starts `python -c`, which looks there first.
    """
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        del os.environ[_SAFE_PATH]
        if before is not None:
            os.environ[_SAFE_PATH] = before


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """What is started here never hears of Ctrl-C."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def new_pool(
    workers: int, preload: Sequence[str], begin: Callable[[], object] | None = None
) -> ProcessPoolExecutor:
    """Make a pool; the modules `preload` are imported once, not in every worker. Raises NoProcess.

    `begin` is what each worker calls first.
    """
    context = fork_server(preload)
    with starting(_SHARED_MEMORY):  # a pool's semaphores are files there
        return ProcessPoolExecutor(workers, mp_context=context, initializer=begin)


@contextlib.contextmanager
def starting(place: str = "") -> Iterator[None]:
    """Around what starts a process: whatever fails there becomes NoProcess.

    `place` is the directory that it needs. The fork server's own failure shows only as a pipe or a
    socket that no server listens on.
    """
    _require_interpreter()
    try:
        with _unbroken():
            yield
    except BrokenProcessPool:
        raise
    except (OSError, EOFError, ImportError, NotImplementedError) as error:
        raise NoProcess(tr(_CANNOT, why=_why(error, place))) from None


@contextlib.contextmanager
def _unbroken() -> Iterator[None]:
    """Ctrl-C waits until the end: a process whose start it cut short would be nobody's to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: arrived.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if arrived:
            signal.raise_signal(signal.SIGINT)


def _interpreter() -> str:
    return os.fsdecode(get_executable())


@functools.cache
def _require_interpreter() -> None:
    """Raise NoProcess when our interpreter does not start, seen by starting it, once.

    The fork server, and the tracker of its semaphores, would die of the same with tracebacks.
    """
    program = _interpreter()
    try:
        with _deaf():
            tried = subprocess.run(
                [program, "-I", "-S", "-c", ""],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TRY_SECONDS,
            )
    except OSError as error:
        why = f"{program}: {error.strerror}"
        raise NoProcess(tr(_CANNOT, why=why)) from None
    except subprocess.TimeoutExpired:
        why = tr("{program} does not start within {n:g} s", program=program, n=_TRY_SECONDS)
        raise NoProcess(tr(_CANNOT, why=why)) from None
    if tried.returncode:
        said = tried.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        why = tr("{program} ended with {status}", program=program, status=tried.returncode)
        raise NoProcess(tr(_CANNOT, why=tr("{why}: {said}", why=why, said=said) if said else why))


def _why(error: Exception, place: str) -> str:
    if isinstance(error, BrokenPipeError | ConnectionError | EOFError):
        return tr("{program} ended at once", program=_interpreter())
    if place and isinstance(error, OSError):
        return tr(
            "{place}: {reason} (make it writable for this user)",
            place=place,
            reason=error.strerror,
        )
    return message_of(error)
