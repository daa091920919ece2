"""What a backup tool says of its repository, and which restore from it is meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Literal, NamedTuple

from parsers.values import dataclass

Via = Literal["tool", "restore_command"]


class ListedBackup(NamedTuple):
    """A backup as its tool lists it: what the tool's own choice goes by."""

    label: str
    finished_at: datetime | None  # by the tool's clock, after the copy
    stop_lsn: int | None
    written_at: datetime | None = None  # when the list's entry was: WAL-G's newest is by this
    refused: str | None = None  # why the tool would not restore it; None: it would


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFacts:
    """One stanza or server of one repository."""

    tool: str  # pgBackRest, Barman, barman-cloud, WAL-G
    url: str  # its root
    name: str  # of the stanza or server; empty for a tool that has none
    number: int  # its place among the repositories named, from 1
    backups: tuple[ListedBackup, ...]  # complete ones, in the tool's order, oldest first
    # segment -> when it was stored (epoch seconds), where the tool goes by that: Barman restores
    # what is listed. None: it goes by what is there.
    listed_wal: Mapping[str, float | None] | None = None
    gone: Mapping[str, str] = field(default_factory=dict)  # listed backup -> what of it is absent
    # Folders of backups that the tool does not list, and their last change: running, broken off or
    # left over.
    unlisted: Mapping[str, datetime] = field(default_factory=dict)
    copies_used: tuple[str, ...] = ()  # info files of which only the .copy was good, and why
    page_errors: tuple[str, ...] = ()  # backups in which the tool found wrong page checksums
    # WAL that PostgreSQL was told is archived, by the tool's spool -> why it was not pushed; None:
    # it was pushed to every repository.
    acknowledged: Mapping[str, str | None] = field(default_factory=dict)
    spool_unread: str | None = None  # what of the spool could not be read, and why


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoriesRead:
    """The repositories that were read."""

    repositories: tuple[RepositoryFacts, ...]
    chosen: str | None = None  # the label of a backup that was named; None: the tool chooses


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Which restore is meant, where a tool has one of its own."""

    via: Via = "tool"
    timeline_given: bool = False  # else the tool's own default holds
