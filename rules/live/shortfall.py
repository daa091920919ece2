"""What PostgreSQL does not say: the end of WAL that was none.

Without a target, recovery takes the first record that it cannot read for the end, promotes, and
reports nothing; with one it fails, and does not say of what. The archive's names tell: when it
holds later segments of the same timeline, there was a gap, or damage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from parsers.segment import segment_name
from parsers.sentences import tr
from rules.live.outcomes import FAILED, PROMOTED
from rules.live.places import is_compressed
from rules.live.summary import Summary, WalBeyond
from rules.model.counted import counted

_TIMELINE_DIGITS: Final = 8
_SEGMENT: Final = re.compile(r"[0-9A-F]{24}")


def judge_shortfall(
    summary: Summary,
    archived: Sequence[str] | None,
    segment_size: int | None = None,
    stored: Mapping[str, str] = MappingProxyType({}),
) -> Summary:
    """Add to a summary what the archive shows; `archived` are its segments, sorted by name.

    `stored` are those of its files that have another name than their segment.
    """
    ended = summary.outcome in (PROMOTED, FAILED)
    stopped = summary.outcome == PROMOTED and summary.stop.kind != "end_of_wal"
    if archived is None or not ended or stopped:
        return summary
    found = _after_gap(summary, archived, stored) or _after_damage(summary, archived, segment_size)
    if found is not None:
        return replace(summary, beyond=found)
    return replace(summary, unfetched=None) if _is_at_the_end(summary, archived) else summary


def _is_at_the_end(summary: Summary, archived: Sequence[str]) -> bool:
    """The segment that could not be fetched is not there, nor any after it."""
    file = summary.unfetched.text("file") if summary.unfetched is not None else None
    wanted = file is not None and _SEGMENT.fullmatch(file) is not None
    return (
        wanted
        and file is not None
        and not any(name.startswith(file[:_TIMELINE_DIGITS]) and name >= file for name in archived)
    )


def _after_gap(
    summary: Summary, archived: Sequence[str], stored: Mapping[str, str]
) -> WalBeyond | None:
    """What is there compressed is not there for a restore_command that asks for it as it is."""
    wanted = [file for file in summary.missing_files if _SEGMENT.fullmatch(file)]
    lacking = [file for file in wanted if file not in summary.restored_segments]
    if not lacking:
        return None
    segment = lacking[-1]
    if segment not in archived:
        return _beyond(segment, None, archived)
    if not is_compressed(segment, stored.get(segment, segment)):
        return None
    return _beyond(segment, None, archived) or WalBeyond(segment, None, 0, segment)


def _after_damage(
    summary: Summary, archived: Sequence[str], segment_size: int | None
) -> WalBeyond | None:
    """Where the record is that did not read: a page's complaint names the file."""
    event = summary.wal_end
    if event is None or not summary.restored_segments:
        return None
    file, lsn = event.text("file"), event.lsn()
    if file is not None and _SEGMENT.fullmatch(file):
        return _beyond(file, event.message, archived)
    if lsn is None or segment_size is None:
        return None
    timeline = int(summary.restored_segments[-1][:_TIMELINE_DIGITS], 16)
    segment = segment_name(timeline, lsn // segment_size, segment_size)
    return _beyond(segment, event.message, archived)


def _beyond(segment: str, damage: str | None, archived: Sequence[str]) -> WalBeyond | None:
    timeline = segment[:_TIMELINE_DIGITS]
    later = [name for name in archived if name.startswith(timeline) and name > segment]
    return WalBeyond(segment, damage, len(later), later[-1]) if later else None


def describe_beyond(beyond: WalBeyond, stored: Mapping[str, str]) -> str:
    """What recovery took for the end of WAL, and what lies after it.

    `stored` are files whose names have more than the segment's: compressed, unfinished.
    """
    segment, damage, count, newest = beyond
    file = stored.get(segment)
    if damage is not None:
        told = tr("the end of WAL was damage in {segment} ({damage}): the archive holds {later}")
    elif file is not None and is_compressed(segment, file):
        told = tr("restore_command asks for {segment}, which the archive has as {file}")
        if count:
            told = tr(
                "restore_command asks for {segment}, which the archive has as {file}, and {later}"
            )
    elif file is not None:
        told = tr(
            "the end of WAL was a gap: the archive lacks {segment}, which lies there as {file}, "
            "and holds {later}"
        )
    else:
        told = tr("the end of WAL was a gap: the archive lacks {segment} and holds {later}")
    segments = counted(count, "later segment")
    return tr(
        told,
        segment=segment,
        damage=damage,
        file=file,
        later=tr("{segments}, up to {newest}", segments=segments, newest=newest),
    )
