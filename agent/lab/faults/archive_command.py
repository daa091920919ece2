"""Changing the primary's archive_command while it runs."""

from __future__ import annotations

from agent.lab.laboratory import Laboratory
from agent.lab.primary import copy_command


def set_archive_command(lab: Laboratory, command: str) -> None:
    """Configure another archive_command and have the server read it."""
    lab.primary.configure(archive_command=command)
    lab.primary.reload()


def mend_archive_command(lab: Laboratory) -> str:
    """Put the seed's archive_command back."""
    command = copy_command(lab)
    set_archive_command(lab, command)
    return f"archive_command is {command!r} again"
