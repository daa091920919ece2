"""Two servers of the same origin archived here at the same time.

Why it matters
    A clone or a restored server that keeps archiving into the archive it came from leaves a
    branch beside the production's. recovery_target_timeline = 'latest' follows the highest number,
    which may be the clone's, and restores a different history than intended.
How to look
    The finding names the timelines. Look into the .history files of both (cat 00000003.history)
    for where they left their parent, and ask every server of that origin for SHOW
    archive_command and pg_is_in_recovery().
What to do
    Set archive_mode = off, or another archive_command, on the server that does not belong here.
    Until its files are moved away name the timeline in every restore (--timeline N). After a
    failover, make sure that the old primary is down for good.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from parsers.wal.facts import instant
from rules.model.evidence import WalEventsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING)
def archive_shared_by_clone(events: WalEventsFacts) -> Iterator[Found]:
    for branch in events.at_once:
        first, last = instant(branch.first_us), instant(branch.last_us)
        yield Found(
            tr(
                "timelines {timeline} and {other} were both written to from {first:%Y-%m-%d"
                " %H:%M:%S %Z} to {last:%Y-%m-%d %H:%M:%S %Z}, and neither continues the other",
                timeline=branch.timeline,
                other=branch.other,
                first=first,
                last=last,
            ),
            timeline=branch.timeline,
            other_timeline=branch.other,
            first_at=first.isoformat(),
            last_at=last.isoformat(),
        )
