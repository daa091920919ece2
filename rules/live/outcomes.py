"""What a restore came to, as `pitr-watch` and a drill say it."""

PROMOTED, PAUSED, FAILED = "promoted", "paused", "failed"
IN_PROGRESS, SHUT_DOWN, NONE = "in_progress", "shut_down", "none"
