"""Settings of a backup's own configuration that the block to paste undoes.

A backup is configured as the server that it was taken on, often a standby. Some of its settings
have an effect on every recovery, with recovery.signal too: a delay, commands, a target that was
left. The others do with standby.signal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from rules.model.facts import BackupFacts, SettingsFacts
from rules.model.goal import TARGETS

# Setting -> the value with which a restore goes as predicted: the default of 13 and later.
_STANDBYS: Final = {
    "recovery_min_apply_delay": "0",
    "archive_cleanup_command": "",
    "recovery_end_command": "",
    "primary_conninfo": "",
    "primary_slot_name": "",
    "hot_standby": "on",
}
_UNDONE: Final = {**_STANDBYS, **dict.fromkeys(TARGETS, "")}


def undo_settings(backup: BackupFacts, given: Collection[str]) -> dict[str, str]:
    """What to set so that a restore of `backup` goes as predicted, besides what is `given`.

    All of it where the configuration is not wholly known: it may set any of these.
    """
    settings = backup.settings
    known = settings is not None and settings.has_main and not backup.unread_settings
    changed = _changed(settings) if known and settings else _UNDONE
    return {name: _UNDONE[name] for name in changed if name not in given}


def _changed(settings: SettingsFacts) -> Iterator[str]:
    for name, value in _UNDONE.items():
        if settings.value(name) not in (None, value):
            yield name
