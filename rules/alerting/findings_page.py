"""The catalogue as one page of Markdown: docs/findings.md is this and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from parsers.sentences import joined, tr
from rules.model.findings import Severity
from rules.verdict.check import Check

_ORDER = (Severity.CRITICAL, Severity.UNKNOWN, Severity.WARNING, Severity.INFO)
_MEANING = {
    Severity.CRITICAL: tr("proven bad: the verdict is critical, the exit status 2"),
    Severity.UNKNOWN: tr(
        "could not be checked: the exit status is 3, unless something is proven bad"
    ),
    Severity.WARNING: tr("restorable now, but at risk: the exit status is 1"),
    Severity.INFO: tr("informational: does not affect the verdict"),
}


def render_page(checks: Iterable[Check]) -> str:
    """Headings are the ids, so that `docs/findings.md#wal_gap` leads to one."""
    return joined("\n", [*_lines(sorted(checks, key=lambda check: check.id)), ""])


def _lines(checks: list[Check]) -> Iterator[str]:
    yield tr("# Findings")
    yield ""
    yield tr(
        "Everything that `pitr-check` and the agent can find, made from the catalogue by\n"
        "`make docs`. `pitr-check explain FINDING` prints the same in the terminal."
    )
    for severity in _ORDER:
        yield ""
        meaning = _MEANING[severity]
        yield tr("**{severity}** ({meaning}):", severity=severity.value, meaning=meaning)
        yield ""
        for check in checks:
            if check.severity is severity:
                yield tr("- [`{id}`](#{id}): {title}", id=check.id, title=check.title)
    for check in checks:
        yield ""
        yield from _entry(check)


def _entry(check: Check) -> Iterator[str]:
    yield f"## {check.id}"
    yield ""
    held = check.hold_seconds
    after = tr(", after {hold_seconds:g} s", hold_seconds=held) if held else ""
    yield tr(
        "*{severity}{after}.* {title}",
        severity=check.severity.value,
        after=after,
        title=check.title,
    )
    yield ""
    yield tr("**Why it matters.** {why}", why=check.why)
    yield ""
    if check.look:
        yield tr("**How to look.** {look}", look=check.look)
        yield ""
    yield tr("**What to do.** {remedy}", remedy=check.remedy)
