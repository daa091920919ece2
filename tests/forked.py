"""The commands in processes of their own, forked from one that has imported them.

Each run has its own memory, streams, environment and exit status as from a shell; what it does not
have is the start of an interpreter, which costs more than most checks. What a test says of that
start, of a signal, of a stream that is closed or of another account needs the real program.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from tests.fix_tools import PATIENCE_SECONDS

# program -> the module whose main() it is, as pyproject.toml has them
_PROGRAMS: Final = {
    "pitr-agent": "agent.cli.start",
    "pitr-check": "agent.cli.check",
    "pitr-watch": "agent.cli.watch",
}
_NOT_AFTER_THE_START = ("TZ", "LANG", "LC_", "PYTHON", "LD_", "PATH")
_FAILED: Final = 70
# What a test has made another, by its name in its module: it is so in the runs as well, though not
# in the processes that those start by themselves.
constants: Final[dict[str, float]] = {}


def run(
    program: str,
    *arguments: object,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run` of the installed program gives, with its output as text."""
    words = [program, *map(str, arguments)]
    wanted = dict(os.environ if environment is None else environment)
    if _settled(wanted) != _settled(os.environ):
        command = [str(Path(sys.executable).with_name(program)), *words[1:]]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=wanted,
            timeout=PATIENCE_SECONDS,
            cwd=directory,
        )
    with tempfile.TemporaryDirectory(prefix="pt-") as streams:
        out, err = (Path(streams) / name for name in ("out", "err"))
        request = {
            "words": words, "environment": wanted, "directory": str(directory or Path.cwd()),
            "out": str(out), "err": str(err), "constants": constants,
        }  # fmt: skip
        with _parent() as parent:
            status = parent.ask(request)
        told = (stream.read_text(errors="replace") for stream in (out, err))
        return subprocess.CompletedProcess(words, status, *told)


def _settled(environment: Mapping[str, str]) -> dict[str, str]:
    """What an interpreter reads when it starts."""
    return {k: v for k, v in environment.items() if k.startswith(_NOT_AFTER_THE_START)}


class _Parent:
    """The process that forks, one run at a time."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(PATIENCE_SECONDS)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forked", str(theirs.fileno())],
                stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),), cwd=_ROOT,
            )  # fmt: skip
        self._answers = self._socket.makefile()

    def ask(self, request: dict[str, Any]) -> int:
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        return int(self._answers.readline())

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


_idle: Final[list[_Parent]] = []  # kept for the next run


@contextlib.contextmanager
def _parent() -> Iterator[_Parent]:
    parent = _idle.pop() if _idle else _Parent()
    try:
        yield parent
    except BaseException:
        parent.end()
        raise
    _idle.append(parent)


_ROOT: Final = Path(__file__).parent.parent


def _serve(requests: socket.socket) -> None:
    """Fork for each request; ends when whoever asks is gone."""
    for package in ("agent", "rules", "parsers"):
        for module in pkgutil.walk_packages([str(_ROOT / package)], f"{package}."):
            with contextlib.suppress(ImportError):  # of an extra that is not installed
                importlib.import_module(module.name)
    gc.freeze()
    for line in requests.makefile():
        pid = os.fork()
        if pid == 0:
            _become(json.loads(line))
        _, status = os.waitpid(pid, 0)
        requests.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _become(request: dict[str, Any]) -> NoReturn:
    status = _FAILED
    try:
        for number, name in ((1, "out"), (2, "err")):
            stream = os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(request["directory"])
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.argv = request["words"]
        for name, value in request["constants"].items():
            module, _, constant = name.rpartition(".")
            setattr(importlib.import_module(module), constant, value)
        status = importlib.import_module(_PROGRAMS[sys.argv[0]]).main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        for written in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                written.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
