"""A crash in native code ended the agent while it read segments.

Why it matters
    The agent was gone until it was started again, and now reads segments with the numpy engine:
    with the same results, at about a tenth of the speed, so a scan may not be done within its
    interval.
How to look
    The file that the finding names holds what each thread was doing when the process died. The
    system's journal has the signal, and a core file where one is kept (coredumpctl info).
What to do
    Report it with that file: no segment, whatever its bytes, may end the agent. Then remove the
    file and restart the agent to read with the compiled engine again; another build of it does so
    by itself.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.evidence import EngineCrashFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING)
def engine_crashed(crash: EngineCrashFacts) -> Iterator[Found]:
    yield Found(
        tr("the agent crashed while it read segments: {place}", place=crash.place),
        crashed_at=crash.crashed_at.isoformat(),
        marker=crash.marker,
    )
