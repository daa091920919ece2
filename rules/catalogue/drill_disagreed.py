"""An actual restore did not match the prediction.

Why it matters
    Verdicts, windows and targets rest on the same prediction: where PostgreSQL contradicts it, they
    cannot be believed.
How to look
    The drill's report shows both: what was predicted and the server's own line. Keep the log
    and the archive as they are.
What to do
    Believe the server. Keep the backup and the WAL of this drill, and report the disagreement with
    the JSON document: it is a bug of the highest severity here.
"""

from collections.abc import Iterator

from parsers.sentences import joined, tr
from rules.drill.records import DrillsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def drill_disagreed(drills: DrillsFacts) -> Iterator[Found]:
    drill = drills.last_run
    if drill is not None and drill.agrees is False:
        yield Found(
            tr(
                "PostgreSQL did not do what was predicted: {disagreements}",
                disagreements=joined("; ", drill.disagreements),
            ),
            backup=drill.backup,
            disagreements=len(drill.disagreements),
        )
