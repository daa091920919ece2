"""One drill by the unit behind a socket: `pitr-drill.socket` starts a `pitr-drill@.service` for it.

The unit has an account, a network and a /tmp of its own, which a child of the agent cannot have.
The agent sends one line, its order, and holds the connection open for as long as it wants the
drill; it hears a line for each line that the drill says, and one with the document at the end:

    {"words": ["--drill", …], "environment": {…}, "probes": […]}
    {"said": "removed what a killed drill had left: …"}
    {"status": 0, "output": "{\\"schema\\": …}"}
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

from parsers.sentences import tr
from parsers.values import dataclass

# -P: nothing is imported from whatever directory the program was started in.
PROGRAM: Final = (
    sys.executable, "-P", "-c", "import sys; from agent.cli.check import main; sys.exit(main())",
)  # fmt: skip
_LINE_BYTES: Final = 64 << 20  # the document is one line
_ORDER_BYTES: Final = 4 << 20
_STOP_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a drill by the unit ended."""

    status: int | None  # None: the connection ended first
    output: bytes


async def drill_by_unit(
    socket: Path,
    words: Sequence[str],
    environment: Mapping[str, str],
    probes: object,
    hear: Callable[[str], None],
) -> Ended:
    """Have the unit make a drill, and hear what it says. Raises OSError where nobody listens."""
    reader, writer = await asyncio.open_unix_connection(socket, limit=_LINE_BYTES)
    try:
        order = {"words": list(words), "environment": dict(environment), "probes": probes}
        writer.write(json.dumps(order).encode() + b"\n")
        await writer.drain()
        while line := await reader.readline():
            told = json.loads(line)
            if "said" in told:
                hear(str(told["said"]))
            else:
                return Ended(status=int(told["status"]), output=str(told["output"]).encode())
        return Ended(status=None, output=b"")
    except ValueError as error:  # no JSON, or a line without an end
        raise OSError(
            tr("{socket}: what answers is no pitr-drill unit: {error}", socket=socket, error=error)
        ) from None
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


# -- in the unit ----------------------------------------------------------------------------------


def serve(order_in: IO[bytes], answer_out: IO[bytes]) -> int:
    """Make the drill that the first line orders; end it when nobody wants it any more.

    Raises ValueError where that line is no order.
    """
    words, environment, probes = _read_order(order_in.readline(_ORDER_BYTES))
    child = subprocess.Popen(
        [*PROGRAM, *words, *_own_words(words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )
    threading.Thread(target=_end_when_left, args=(order_in, child), daemon=True).start()
    threading.Thread(target=_tell_all, args=(child, answer_out), daemon=True).start()
    assert child.stdin is not None and child.stdout is not None
    with contextlib.suppress(BrokenPipeError), child.stdin as pipe:
        pipe.write(json.dumps(probes, ensure_ascii=False).encode())
    output = child.stdout.read()
    status = child.wait()
    _tell(answer_out, {"status": status, "output": output.decode("utf-8", "replace")})
    return 0


def _read_order(line: bytes) -> tuple[list[str], dict[str, str], list[object]]:
    order = json.loads(line)
    words, environment, probes = order["words"], order["environment"], order["probes"]
    texts = [*words, *environment, *environment.values()]
    if not all(isinstance(text, str) for text in texts) or not isinstance(probes, list):
        raise ValueError("an order has words, an environment of texts, and a list of probes")
    return list(words), dict(environment), probes


def _own_words(words: Sequence[str]) -> list[str]:
    """Where the unit keeps what is its own: the agent's state is none of its business."""
    state = os.environ.get("STATE_DIRECTORY")
    if not state:
        return []
    own = ["--ledger", f"{state}/ledger.sqlite"]
    return own if "--drill-directory" in words else [*own, "--drill-directory", state]


def _end_when_left(order_in: IO[bytes], child: subprocess.Popen[bytes]) -> None:
    order_in.read()
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_STOP_SECONDS)
    child.kill()


def _tell_all(child: subprocess.Popen[bytes], answer_out: IO[bytes]) -> None:
    assert child.stderr is not None
    for line in child.stderr:
        _tell(answer_out, {"said": line.decode("utf-8", "replace").strip()})


def _tell(answer_out: IO[bytes], told: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):
        answer_out.write(json.dumps(told).encode() + b"\n")
        answer_out.flush()
