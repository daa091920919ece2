"""Which of the server's last words are a PANIC; restores: test_recovery_unlabelled."""

from __future__ import annotations

import pytest

from rules.recovery import server_messages as messages


@pytest.mark.parametrize(
    ("fatal", "unlabelled", "majors"),
    [
        (messages.BACKUP_CANCELED, False, range(13, 20)),
        (messages.unexpected_timeline(2, 1), False, range(13, 20)),
        (messages.unexpected_previous_timeline(2, 1), False, range(13, 20)),
        (messages.checkpoint_lost(16, 40), True, range(13, 19)),
        (messages.checkpoint_lost(18, 40), True, range(13, 19)),
        (messages.redo_missing(16, 40, 80), True, range(13, 19)),
        (messages.redo_missing(16, 40, 80), False, ()),
        (messages.checkpoint_missing(16, 40), False, ()),
        (messages.TARGET_NOT_REACHED, True, ()),
    ],
)
def test_majors_that_panic(fatal: str, unlabelled: bool, majors: range) -> None:
    panics = [m for m in range(13, 20) if messages.is_panic(fatal, m, unlabelled=unlabelled)]
    assert panics == list(majors)
