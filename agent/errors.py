"""How a program ends: its exit statuses, and the failures that a person is told in one line."""

from __future__ import annotations

OK, WARNING, CRITICAL, UNKNOWN, USAGE = 0, 1, 2, 3, 64


class UsageError(Exception):
    """The person typed something that cannot be right: what, where, what to type next."""


class NoProcess(Exception):
    """A process of ours cannot be started. The message says which, why, and what to do."""


class CannotCheck(Exception):
    """Something needed could not be read. Ends in 3, with one line."""
