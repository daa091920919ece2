"""bubblewrap around the scratch server: no network, a /tmp of its own, nothing else to write to.

The server's process is put into namespaces of its own. It sees the file system read-only; /tmp,
/var/tmp and /run, where sockets of others lie, are empty but for the drill's area and the server's
programs. Processes keep their ids, so that whoever watches the drill, and the guardian, finds them.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from agent.drill.area import Area
from agent.drill.errors import CannotDrill
from agent.postgres.account import Account
from agent.postgres.installation import Installation
from parsers.sentences import tr
from parsers.values import dataclass

Confine = Literal["auto", "always", "never"]
_PROGRAM: Final = "bwrap"
_HIDDEN: Final = (Path("/tmp"), Path("/var/tmp"), Path("/run"))
_NAMESPACES: Final = (
    "--unshare-user-try", "--unshare-net", "--unshare-ipc", "--die-with-parent",
    "--ro-bind", "/", "/", "--dev", "/dev",
)  # fmt: skip
_TRY_SECONDS: Final = 30.0
_INTERFACES: Final = Path("/proc/self/net/dev")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What the scratch server is kept in."""

    prefix: tuple[str, ...]  # goes before its command
    said: str  # in words


def confine(
    wanted: Confine, area: Area, installation: Installation, *, by_tool: bool
) -> Confinement:
    """How the server is to be started. Raises CannotDrill where it must be confined and cannot."""
    why = _reason_against(wanted, area.account, by_tool=by_tool)
    if why is None:
        program = shutil.which(_PROGRAM) or _PROGRAM
        words = (program, *_NAMESPACES, *_mounts(area, installation), "--")
        return Confinement(
            prefix=words,
            said=tr("bubblewrap: no network, a /tmp of its own, nothing else to write to"),
        )
    if _has_no_network():
        return Confinement(prefix=(), said=tr("no network here: lo is the only interface"))
    if wanted == "always":
        raise CannotDrill(tr("the server cannot be confined: {why}", why=why))
    said = tr("none: {why}; the server can reach the network", why=why)
    return Confinement(prefix=(), said=said)


def _reason_against(wanted: Confine, account: Account, *, by_tool: bool) -> str | None:
    if wanted == "never":
        return "--confine never"
    if by_tool:
        return tr("the restore_command is the tool's own, which may need the network")
    program = shutil.which(_PROGRAM)
    if program is None:
        return tr("bubblewrap is not installed (apt-get install bubblewrap)")
    try:
        tried = subprocess.run(
            [program, *_NAMESPACES, "--", "/bin/true"], capture_output=True, timeout=_TRY_SECONDS,
            **account.popen_options(),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return tr("bubblewrap does not work here: {error}", error=error)
    if tried.returncode:
        said = " ".join(tried.stderr.decode(errors="replace").split())
        return tr("bubblewrap does not work here: {error}", error=said)
    return None


def _mounts(area: Area, installation: Installation) -> Iterator[str]:
    """Empty directories in place of those that others use, and in them what the server needs."""
    for hidden in _HIDDEN:
        if hidden.is_dir() and not hidden.is_symlink():
            yield from ("--tmpfs", str(hidden))
    for place in dict.fromkeys(_below_hidden(installation.program("postgres"))):
        yield from ("--ro-bind", str(place), str(place))
    for place in dict.fromkeys((area.path, area.sockets)):
        if place == area.path or not place.is_relative_to(area.path):
            yield from ("--bind", str(place), str(place))


def _below_hidden(program: Path) -> Iterator[Path]:
    """The directories right below the hidden ones on the way to a program, and to where it lies."""
    for path in (program, program.resolve()):
        for hidden in _HIDDEN:
            if path.is_relative_to(hidden):
                yield hidden / path.relative_to(hidden).parts[0]


def _has_no_network() -> bool:
    """Whether this process, and with it the server, has no way out: PrivateNetwork= of a unit."""
    try:
        lines = _INTERFACES.read_text().splitlines()
    except OSError:
        return False
    return [line.split(":")[0].strip() for line in lines if ":" in line] == ["lo"]
