"""The restore by the tool that made the backup, into the drill's directory (--drill-with tool).

The tool runs as the server's account, with its locks and logs in the area. Passphrases go in the
environment, by the tool's own names. What it wrote of recovery is what the scratch server then
starts with.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Final

from agent.backups.settings import read_settings
from agent.drill.area import Area
from agent.drill.deadline import Deadline
from agent.drill.errors import CannotDrill
from agent.repositories.opening import RepoPlace
from agent.repositories.recognise import BARMAN, PGBACKREST
from agent.store.paths import entries_of
from agent.store.urls import is_remote
from parsers.errors import ParseError
from parsers.repository.barman_config import BarmanPlaces
from parsers.sentences import tr
from parsers.values import dataclass
from rules.repository.command import ToolAsked, asked_words

_PROGRAMS: Final = {PGBACKREST: "pgbackrest", BARMAN: "barman"}
# What a tool writes of recovery, and the scratch server takes over.
_OF_RECOVERY: Final = ("restore_command", "recovery_target", "recovery_target_")
_VARIABLES: Final = "PGBACKREST_"  # pgBackRest's own, which go before its configuration
_NOT_OURS: Final = "Permission denied"
_NO_SERVER: Final = "connection to server"  # that Barman asks: a drill leaves it alone
_LINES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOrder:
    """The tool's restore as it is asked for."""

    name: str  # of the stanza or server
    places: Sequence[RepoPlace]
    config: str | None = None  # the tool's own, that was named; None: only places were
    asked: ToolAsked


@dataclass(slots=True, kw_only=True)
class ToolRestore:
    """What the tool's restore came to."""

    refusal: str | None = None  # its last words; None: it restored
    recovers: bool = True  # it asks for archive recovery
    settings: Mapping[str, str] = field(default_factory=dict)  # of recovery
    environment: Mapping[str, str] = field(default_factory=dict)  # that its restore_command needs


def restore_by_tool(order: ToolOrder, area: Area, deadline: Deadline) -> ToolRestore:
    """Have the tool restore into the area's data directory. Raises CannotDrill, OutOfTime."""
    tool = order.asked.tool
    if tool not in _PROGRAMS:
        raise CannotDrill(
            tr("a drill by the tool is for pgBackRest and Barman, not for {tool}", tool=tool)
        )
    program = shutil.which(_PROGRAMS[tool])
    if program is None:
        raise CannotDrill(
            tr("{program} is not installed here: drill without it", program=_PROGRAMS[tool])
        )
    own = area.account.make_directory(area.path / "tool")
    area.account.make_directory(area.data)
    if tool == PGBACKREST:
        words, secrets = _pgbackrest(order, area, own)
    else:
        words, secrets = _barman(order, area, own), {}
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC", **secrets}
    environment["HOME"] = str(own)
    status, said = _run([program, *words], environment, area, deadline)
    if status:
        line = " ".join(said[-_LINES:])
        if _NOT_OURS in line:
            raise CannotDrill(
                tr(
                    "the account {account} cannot restore: {line}: name one that may read "
                    "the repository with --drill-user",
                    account=area.account.name,
                    line=line,
                )
            )
        if tool == BARMAN and _NO_SERVER in line:
            raise CannotDrill(
                tr("Barman asks the server where no timeline is named: {line}", line=line)
            )
        return ToolRestore(refusal=line or tr("exit status {status}", status=status))
    return ToolRestore(
        recovers=(area.data / "recovery.signal").exists(),
        settings=_recovery_settings(area.data),
        environment=secrets,
    )


def _recovery_settings(data: Path) -> dict[str, str]:
    try:
        found = read_settings(data)
    except (ParseError, OSError) as error:
        why = tr("the settings that the tool wrote cannot be read: {error}", error=error)
        raise CannotDrill(why) from None
    return {
        name: setting.value for name, setting in found.items()
        if name.startswith(_OF_RECOVERY) and setting.value
    }  # fmt: skip


def _run(
    command: Sequence[str], environment: Mapping[str, str], area: Area, deadline: Deadline
) -> tuple[int, list[str]]:
    """The exit status, and the lines that it said of errors, or else its last ones."""
    process = area.guardian.start(
        "tool", command, options=area.account.popen_options(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
    )  # fmt: skip
    try:
        out, _ = deadline.run(
            process.communicate, lambda: tr("while {program} ran", program=Path(command[0]).name)
        )
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise
    finally:
        area.guardian.forget("tool")
    lines = [line.strip() for line in out.decode(errors="replace").splitlines() if line.strip()]
    return process.returncode, [line for line in lines if "ERROR" in line] or lines


# -- pgBackRest -----------------------------------------------------------------------------------


def _pgbackrest(order: ToolOrder, area: Area, own: Path) -> tuple[list[str], dict[str, str]]:
    """The words of the command, and what of the environment it needs."""
    words = [
        f"--stanza={order.name}", f"--pg1-path={area.data}", f"--lock-path={own}",
        "--log-level-file=off", "--log-level-console=warn",
        f"--tablespace-map-all={area.tablespaces}", "--archive-mode=off",
    ]  # fmt: skip
    secrets = {"PGBACKREST_ARCHIVE_ASYNC": "n"}  # its spool would be the cluster's own
    if order.config is not None:
        words += [f"--config={order.config}"] if order.config else []
        own_words = {key: text for key, text in os.environ.items() if key.startswith(_VARIABLES)}
        secrets = own_words | secrets
    else:
        words.append("--no-config")
        for place in order.places:
            if is_remote(place.url):
                raise CannotDrill(
                    tr("{url}: name pgBackRest's configuration (--pgbackrest)", url=place.url)
                )
            words.append(f"--repo{place.number}-path={_root_of(place.url)}")
            if place.passphrase is not None:
                variable = f"PGBACKREST_REPO{place.number}_CIPHER"  # restore_command has neither
                secrets |= {f"{variable}_TYPE": "aes-256-cbc"}
                secrets |= {f"{variable}_PASS": place.passphrase.decode()}
    if len(order.places) == 1:
        words.append(f"--repo={order.places[0].number}")
    if order.asked.label is not None:
        words.append(f"--set={order.asked.label}")
    return [*words, *asked_words(order.asked), "restore"], secrets


def _root_of(url: str) -> str:
    """The repository's root, where a stanza's folder or the folder above it may be named."""
    from agent.repositories.recognise import recognise

    return recognise(url).root


# -- Barman ---------------------------------------------------------------------------------------


def _has_wal(incoming: str) -> bool:
    try:
        return any(entry.name[0] in "0123456789ABCDEF" for entry in entries_of(Path(incoming)))
    except FileNotFoundError:
        return False
    except OSError as error:
        why = tr("{path} cannot be listed: {reason}", path=incoming, reason=error.strerror)
        raise CannotDrill(why) from None


def _barman(order: ToolOrder, area: Area, own: Path) -> list[str]:
    """A configuration for this restore alone: locks and what it unpacks lie in the area.

    Barman would first move what waits in incoming/ and streaming/ into the repository: not here.
    """
    (place,) = order.places
    places = place.barman or BarmanPlaces.below(f"{_root_of(place.url)}/{order.name}")
    if _has_wal(places.incoming):
        raise CannotDrill(
            tr(
                "WAL waits in {incoming}, which Barman archives before it restores: have it do "
                "that (barman archive-wal {server}), or drill without Barman",
                incoming=places.incoming,
                server=order.name,
            )
        )
    staging = area.account.make_directory(own / "staging")
    config = own / "barman.conf"
    config.write_text(
        "[barman]\n"
        f"barman_user = {area.account.name}\nbarman_home = {own}\nlog_file = {own}/barman.log\n"
        f"barman_lock_directory = {own}\nconfiguration_files_directory = {own}/none\n"
        f"[{order.name}]\ndescription = drill\nconninfo = host={own}/nowhere\narchiver = on\n"
        f"backup_method = postgres\nstreaming_conninfo = host={own}/nowhere\n"
        f"backup_directory = {places.home}\nbasebackups_directory = {places.base}\n"
        f"wals_directory = {places.wals}\nstreaming_wals_directory = {own}/streaming\n"
        f"incoming_wals_directory = {own}/incoming\n"
        f"recovery_staging_path = {staging}\n"
    )
    config.chmod(0o600)
    area.account.own(config)
    label = order.asked.label
    assert label is not None, "of Barman one is always named"
    return ["-c", str(config), "recover", *asked_words(order.asked), order.name, label,
            str(area.data)]  # fmt: skip
