"""Configuration files as the settings that a server would show in pg_settings.

Follows parse_bool and parse_int in src/backend/utils: words for booleans, units for numbers. A
value that the server would refuse is kept as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from parsers.files import server_conf
from rules.model.facts import BackupFacts, Setting, SettingsFacts
from rules.model.restore_inputs import PARAMETERS, Server, parameter_defaults

_BOOLEANS: Final = frozenset(
    {"full_page_writes", "fsync", "hot_standby", "recovery_target_inclusive", "wal_log_hints"}
)
_WORDS: Final = {"true": "on", "yes": "on", "on": "on", "1": "on",
                 "false": "off", "no": "off", "off": "off", "0": "off"}  # fmt: skip
# Setting -> what each unit comes to in that of pg_settings.
_TIME: Final = {"us": 1e-6, "ms": 1e-3, "": 1.0, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE: Final = {"B": 2**-20, "kB": 2**-10, "": 1.0, "MB": 1.0, "GB": 2.0**10, "TB": 2.0**20}
_TIME_MS: Final = {unit: seconds * 1000 for unit, seconds in _TIME.items()} | {"": 1.0}
_UNITS: Final = {
    "archive_timeout": _TIME, "max_slot_wal_keep_size": _SIZE, "recovery_min_apply_delay": _TIME_MS,
}  # fmt: skip
_NUMBER: Final = re.compile(r"\s*([-+]?[0-9.]+)\s*([A-Za-z]*)\s*\Z")
_ENUMS: Final = frozenset({"archive_mode", "wal_level", "recovery_target_action"})
# Most servers have most settings alike: what many clusters have in common is kept once.
_setting: Final = lru_cache(maxsize=1 << 10)(Setting)
_STRTOUL: Final = re.compile(r"\s*\+?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")


def timeline_meant(text: str, major: int = 18) -> str | int | None:
    """What recovery_target_timeline means to a release of PostgreSQL; None: it is refused.

    Follows check_recovery_target_timeline: strtoul with base 0. To 18 what follows is ignored, and
    where there is no number at all that is 0, a timeline that never exists. From 19 on both are
    refused, and so is what does not fit into 32 bits.

    >>> [timeline_meant(text) for text in ("latest", "26", "0000001A", "0x1A", "010", "next")]
    ['latest', 26, 1, 26, 8, 0]
    >>> [timeline_meant(text, 19) for text in ("latest", "26", "0000001A", "0x1A", "010", "next")]
    ['latest', 26, None, 26, 8, None]
    """
    if text in ("latest", "current"):
        return text
    match = _STRTOUL.match(text)
    if major >= 19 and (match is None or match.end() != len(text)):
        return None
    digits = match[1] if match else "0"
    if digits[:2] in ("0x", "0X"):
        meant = int(digits, 16)
    else:
        meant = int(digits, 8) if digits.startswith("0") else int(digits)
    if major >= 19:
        return meant if 0 < meant < 1 << 32 else None
    return meant if meant < 1 << 64 else None


def settings_of_files(
    found: Mapping[str, server_conf.FileSetting], backup: str | None = None
) -> SettingsFacts:
    """What the files of a backup or data directory set, each with its place."""
    return SettingsFacts(
        settings={
            name: _setting(
                name=name,
                setting=normalise(name, setting.value),
                read_from=f"{setting.file}:{setting.line}",
            )
            for name, setting in found.items()
        },
        of_backup=backup,
    )


def normalise(name: str, value: str) -> str:
    """A value as pg_settings shows it.

    >>> normalise("full_page_writes", "FALSE"), normalise("archive_timeout", "5min")
    ('off', '300')
    """
    if name in _BOOLEANS:
        return _boolean(value) or value
    if name in _ENUMS:
        return (_boolean(value) if name == "archive_mode" else None) or value.lower()
    match = _NUMBER.match(value)
    if name in _UNITS and match and match[2] in _UNITS[name]:
        return str(round(float(match[1]) * _UNITS[name][match[2]]))
    return value


def _boolean(value: str) -> str | None:
    """parse_bool takes every unambiguous beginning of a word."""
    word = value.strip().lower()
    meant = {_WORDS[full] for full in _WORDS if word and full.startswith(word)}
    return meant.pop() if len(meant) == 1 else None


def server_for(backup: BackupFacts, major: int) -> Server:
    """The server that a backup's own configuration and the block to paste would make.

    Nothing is known of PARAMETERS where the backup has no postgresql.conf: it lies elsewhere, as
    Debian has it.
    """
    settings = backup.settings
    if settings is None or not settings.has_main:
        return Server(major=major, adjustable=True)
    said = {name: settings.value(name) or "" for name in PARAMETERS}
    known = {name: int(text) for name, text in said.items() if text.isdecimal()}
    return Server(
        major=major,
        raises_hot_standby=settings.value("hot_standby") == "off",
        parameters={**parameter_defaults(major), **known},
        adjustable=True,
    )
