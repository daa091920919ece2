"""The settings of a server under restore, as the files have them, in the terms of the predictor.

What a setting's text cannot mean is left to the server, which refuses it:
`rules.model.goal.read_goal` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model.restore_inputs import PARAMETERS
from rules.model.target import Target

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
        is_setting=True,
    )


def hot_standby_in(settings: Mapping[str, str]) -> bool:
    """Tell whether the server opens for reading while it recovers."""
    return not is_off(settings.get("hot_standby", "on"))


def parameters_in(settings: Mapping[str, str]) -> dict[str, int]:
    """Those set, of the parameters that must not be lower than where the WAL was written."""
    texts = {name: settings.get(name, "") for name in PARAMETERS}
    return {name: int(text) for name, text in texts.items() if text.isdigit()}
