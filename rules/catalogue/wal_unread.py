"""Archived segments could not be read to the requested depth.

Why it matters
    WAL that was not read is not known to be good: the verdict cannot be OK.
How to look
    The finding says why: permissions, a link out of the archive, an unsupported codec, an exhausted
    budget, a file that is still growing, an error in this program.
What to do
    What the finding says for its cause. A file that is still being written is read by the next
    check; a file that cannot be opened needs read permission for this account. A link out of the
    archive is not followed: put the file itself in its place. Only an "unexpected" error is a fault
    of ours: report it with the traceback (`pitr-agent run --log.level debug`, PITR_DEBUG=1
    pitr-check).
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from parsers.sentences import joined, tr
from rules.model.counted import counted
from rules.model.facts import ScanFacts
from rules.model.findings import Severity
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check
from rules.verdict.hindrance import ASK_THE_STORE, RIGHTS, STORE, Hindrance, hindrance_of

_REASONS_SHOWN: Final = 3
_HINDRANCES: Final = (
    Hindrance(
        "bug", r"^unexpected ",
        tr(
            "This is a fault of this program: report it with the traceback (pitr-agent run"
            " --log.level debug, PITR_DEBUG=1 pitr-check). The file may be sound."
        ),
    ),
    Hindrance(
        "rights", RIGHTS,
        tr(
            "Run this as the owner of the archive (sudo -u OWNER ...), or give this account the"
            " right to read the file."
        ),
    ),
    Hindrance(
        "link", r"a link ",
        tr("Put the file itself in the link's place: no link is followed out of the archive."),
    ),
    Hindrance(
        "no_file", r"not a file|larger than",
        tr(
            "See who put it there: an archive holds files. Then put the segment itself in its"
            " place."
        ),
    ),
    Hindrance(
        "worker", r"\bworkers?\b",
        tr(
            "See that a worker answers and reads the same archive at the same place: its own log"
            " says more. Or read without it: leave out --scheduler (scan_on)."
        ),
    ),
    Hindrance("store", STORE, ASK_THE_STORE),
    Hindrance(
        "hangs", r"takes too long|still hangs",
        tr(
            "See whether the file system or mount answers (cat the file). The next check asks"
            " again."
        ),
    ),
    Hindrance(
        "budget", r"was used up",
        tr(
            "Give it more time (--budget), or a --ledger: the next check then goes on where this"
            " one ended."
        ),
    ),
    Hindrance(
        "growing", r"after its last change",
        tr("Nothing, if it is just being archived: a check after that reads it."),
    ),
    Hindrance(
        "codec", r"only its name was checked",
        tr("Archive it in a format that is read here: plain, gzip, bzip2, xz, lz4 or zstd."),
    ),
    Hindrance(
        "system", "",
        tr(
            "Read the file with another program (cat FILE > /dev/null). If that fails as well, see"
            " to the disk or mount (dmesg), and restore the segment from another copy."
        ),
    ),
)  # fmt: skip


@check(severity=Severity.UNKNOWN, hold_seconds=300)
def wal_unread(scan: ScanFacts, target: TargetFacts | None) -> Iterator[Found]:
    arriving = scan.arriving if target is not None and target.is_proven else frozenset[str]()
    spared = arriving | scan.cold  # of these there is wal_in_cold_storage
    by_cause = defaultdict[Hindrance, dict[str, str]](dict)
    for name, why in sorted(scan.unread.items()):
        if name not in spared:
            by_cause[hindrance_of(why, _HINDRANCES)][name] = why
    for cause, unread in sorted(by_cause.items()):
        first = next(iter(unread))
        reasons = list(dict.fromkeys(unread.values()))
        more = len(reasons) - _REASONS_SHOWN
        said = reasons[:_REASONS_SHOWN]
        said += [tr("and {count} more reasons", count=more)] if more > 0 else []
        why = joined("; ", said)
        yield Found(
            tr(
                "{segments} not read, the first {first}: {why}",
                segments=counted(len(unread), "segment"),
                first=first,
                why=why,
            ),
            remedy=cause.remedy,
            first=first,
            segments=len(unread),
            reason=why,
        )
