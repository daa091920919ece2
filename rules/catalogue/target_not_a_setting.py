"""The time asked about is written as no server takes it in recovery_target_time.

Why it matters
    What a person means is read here without doubt, `2026-11-28T13:35:11Z` for instance. A server
    refuses to start with that text in its configuration, or misunderstands it.
What to do
    Paste the line of the settings that the report prints: it has the same instant as every release
    takes it, with the offset +00.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.findings import Severity
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check


@check(severity=Severity.INFO, asked=True)
def target_not_a_setting(target: TargetFacts) -> Iterator[Found]:
    if target.target.is_refused:
        yield Found(
            tr(
                "recovery_target_time does not take {value!r} as it was typed",
                value=target.target.value,
            ),
            remedy=tr("Paste recovery_target_time as the printed settings have it"),
            typed=target.target.value,
        )
