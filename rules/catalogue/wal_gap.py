"""WAL that a restore needs is missing from the archive.

Why it matters
    Recovery ends at the first missing segment. Without a target PostgreSQL takes the gap for the
    end of WAL and opens the database there without any error; with a target beyond it, it refuses.
How to look
    The finding names the segments. Look for them in pg_wal of the primary and its standbys and
    in other archives; the archiver's lines in the server log of that time say what happened.
What to do
    Look for the segments in pg_wal of the primary and its standbys and copy them into the archive
    under their own names. A file of theirs under another name (.partial, a copy that was not
    finished) is named where there is one: see whether it is whole. If they are gone, take a base
    backup now, so that a window begins after the gap.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.counted import counted
from rules.model.evidence import SequenceFacts
from rules.model.facts import ArchiveFacts
from rules.model.findings import Severity
from rules.model.gathered import gathered
from rules.model.sequence import LOST, Gap
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def wal_gap(sequence: SequenceFacts, archive: ArchiveFacts | None) -> Iterator[Found]:
    lost = (g for g in sequence.gaps if g.cause == LOST and not g.harmless and not g.at_fork)
    for gaps in gathered(lost, lambda gap: gap.timeline):
        first, last = gaps[0].first_name, gaps[-1].last_name
        count = sum(gap.segments_count for gap in gaps)
        span = first if count == 1 else tr("{first} to {last}", first=first, last=last)
        places = len(gaps)
        yield Found(
            tr(
                "{segments} missing on timeline {timeline}: {where}{others}",
                segments=counted(count, "segment"),
                timeline=gaps[0].timeline,
                where=tr("in {places} places from {span}", places=places, span=span)
                if places > 1
                else span,
                others=_under_other_names(gaps[0], archive),
            ),
            timeline=gaps[0].timeline,
            first=first,
            last=last,
            segments=count,
        )


def _under_other_names(gap: Gap, archive: ArchiveFacts | None) -> str:
    """Files of these segments that no recovery asks for: unfinished, or half copied."""
    if archive is None:
        return ""
    unfinished = {name: file.name for name, file in archive.partials.items()}
    found = [
        file.rpartition("/")[2]
        for name, file in sorted({**archive.lookalikes, **unfinished}.items())
        if gap.first_name <= name <= gap.last_name
    ]
    if not found:
        return ""
    more = tr(" and {count} more", count=len(found) - 1) if len(found) > 1 else ""
    return tr("; under another name there is {first}{more}", first=found[0], more=more)
