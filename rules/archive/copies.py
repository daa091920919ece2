"""Several files of one segment: which one serves, and what the others are.

The archive_command of a server may be asked twice for a segment (its answer was lost), and mirrors
hold everything twice: copies of the same content are normal. A copy that is damaged while another
is valid costs nothing. When none is valid, or two that differ both are, it is unclear which one a
restore should read.
"""

from __future__ import annotations

from collections.abc import Sequence

from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.damage import DamageKind
from rules.model.facts import SegmentCopy


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyReading:
    """One file of a segment, read."""

    url: str
    digest: bytes  # of its content, decompressed
    kind: DamageKind | None  # what is wrong with it; None: it is valid


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiesJudgement:
    """What the files of one segment come to."""

    serves: int  # index of the file that recovery should be given
    copies: tuple[SegmentCopy, ...]  # the others
    conflict: str | None  # why it is unclear which one is right


def judge_copies(segment: str, readings: Sequence[CopyReading]) -> CopiesJudgement:
    """Choose among the files of a segment: the first valid one, else the first."""
    valid = [index for index, reading in enumerate(readings) if reading.kind is None]
    serves = valid[0] if valid else 0
    digest = readings[serves].digest
    return CopiesJudgement(
        serves=serves,
        copies=tuple(
            SegmentCopy(
                segment=segment,
                url=reading.url,
                differs=reading.digest != digest,
                kind=reading.kind.value if reading.kind else None,
            )
            for index, reading in enumerate(readings)
            if index != serves
        ),
        conflict=_conflict(readings, [readings[index] for index in valid]),
    )


def _conflict(readings: Sequence[CopyReading], valid: Sequence[CopyReading]) -> str | None:
    if len({reading.digest for reading in valid or readings}) == 1:
        return None
    urls = ", ".join(reading.url for reading in valid or readings)
    if valid:
        return tr("copies that differ are each valid: {urls}", urls=urls)
    return tr("none is valid: {urls}", urls=urls)
