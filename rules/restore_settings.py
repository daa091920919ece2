"""The settings of a server under restore, as the files have them, in the terms of the predictor.

Defaults are those of src/backend/utils/misc/guc_tables.c, the same in 13 to 18. What a setting's
text cannot mean is left to the server, which refuses it: `rules.goal.read_goal` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.restore import PARAMETERS
from rules.target import Target

# What a hot standby must have at least as much of as the primary had -> the server's default.
PARAMETER_DEFAULTS: Final = dict(zip(PARAMETERS, (100, 8, 10, 0, 64), strict=True))
TARGET_SETTINGS: Final = (
    "recovery_target", "recovery_target_lsn", "recovery_target_name", "recovery_target_time",
    "recovery_target_xid",
)  # fmt: skip
_OFF: Final = ("off", "false", "no", "0")


def is_off(text: str) -> bool:
    """Tell whether a boolean's text means off: parse_bool takes any beginning that is no other's.

    >>> is_off("F"), is_off("of"), is_off("on")
    (True, True, False)
    """
    word = text.strip().lower()
    return any(off.startswith(word) for off in _OFF) and word not in ("", "o")


def target_in(settings: Mapping[str, str]) -> Target:
    """The recovery target that is configured; type `none` without one."""
    kind, value = "none", None
    for name in TARGET_SETTINGS:
        if settings.get(name):
            kind, value = name.removeprefix("recovery_target").lstrip("_"), settings[name]
    if kind == "":
        kind, value = "immediate", None
    return Target(
        type=kind,
        value=value,
        timeline=settings.get("recovery_target_timeline", "latest"),
        inclusive=not is_off(settings.get("recovery_target_inclusive", "on")),
        action=settings.get("recovery_target_action", "pause").lower(),
    )


def hot_standby_in(settings: Mapping[str, str]) -> bool:
    """Tell whether the server opens for reading while it recovers."""
    return not is_off(settings.get("hot_standby", "on"))


def parameters_in(settings: Mapping[str, str]) -> dict[str, int]:
    """The parameters that must not be lower than on the server that wrote the WAL."""
    return {
        name: int(text) if text.isdigit() else default
        for name, default in PARAMETER_DEFAULTS.items()
        for text in (settings.get(name, ""),)
    }
