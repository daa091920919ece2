"""Fewer whole copies of the archive are there than the objective wants.

Why it matters
    A copy counts when it lacks nothing that a restore could need: on the day on which the others
    are gone, one with a hole in it is none.
How to look
    pitr-check shows with each archive what it alone would reach. The cluster's page has the same
    under "Each archive alone".
What to do
    Name every archive of the cluster in the configuration. Where one of them lacks segments, copy
    them from another, and see why they did not arrive.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.case.derived.listing import Listings
from rules.model.counted import counted
from rules.model.evidence import AloneFacts
from rules.model.facts import Objectives
from rules.model.findings import Severity
from rules.verdict.check import Found, Note, check


@check(severity=Severity.WARNING, hold_seconds=300)
def copies_below_objective(
    listings: Listings, objectives: Objectives, alone: AloneFacts | None
) -> Iterator[Found]:
    wanted, there = objectives.copies, len(listings.archives)
    if wanted is None:
        return
    copies = alone.by_archive if alone else ()
    holed = [c.url for c in copies if c.lacking or c.bad or c.restorable is False]
    unsure = [c.url for c in copies if c.restorable is None and c.url not in holed]
    if there - len(holed) < wanted:
        but = ""
        if holed:
            but = tr(", {count} of them with WAL missing or bad", count=len(holed))
        yield Found(
            tr(
                "the cluster has {archives}{but}; the objective is {objective}",
                archives=counted(there, "archive"),
                but=but,
                objective=counted(wanted, "whole archive"),
            ),
            archives=there,
            not_whole=", ".join(holed) or None,
            objective_copies=wanted,
        )
    elif there - len(holed) - len(unsure) < wanted or (wanted > 1 and not copies):
        yield Note(
            tr("how many archives of the cluster are whole is not known"),
            archives=there,
            objective_copies=wanted,
        )
