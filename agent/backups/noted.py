"""A file of a backup, and what is the matter with it."""

from __future__ import annotations

from parsers.sentences import tr


def noted(name: str, why: str | BaseException | None) -> str:
    return tr("{name} ({why})", name=name, why=why)


def of_backup(name: str, backup: str | None) -> str:
    """A file that another backup has for this one; None: this one itself."""
    return tr("{name} of {backup}", name=name, backup=backup) if backup else name
