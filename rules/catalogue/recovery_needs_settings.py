"""Recovery reaches the target only with settings that the backup does not have.

Why it matters
    A restore that keeps the backup's configuration pauses or dies on the way. Where max_connections
    and its like were raised after the backup, the server pauses at that record with "hot standby
    is not possible because of insufficient parameter settings" (13 dies there) and dies when it is
    resumed; directories in pg_tblspc make it panic; reading ahead finds damage too early.
What to do
    Put these settings into postgresql.auto.conf before the restore: the block to paste has them.
    allow_in_place_tablespaces and recovery_prefetch may go once it is over.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.findings import Severity
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING, asked=True)
def recovery_needs_settings(target: TargetFacts) -> Iterator[Found]:
    needs = target.prediction.needs if target.prediction else {}
    if needs:
        said = ", ".join(f"{name} = {value}" for name, value in sorted(needs.items()))
        words = tr("recovery needs {settings}: the backup is not configured so", settings=said)
        yield Found(words, settings=said)
