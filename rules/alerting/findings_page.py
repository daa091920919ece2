"""The catalogue as one page of Markdown: docs/findings.md is this and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rules.model.findings import Severity
from rules.verdict.check import Check

_ORDER = (Severity.CRITICAL, Severity.UNKNOWN, Severity.WARNING, Severity.INFO)
_MEANING = {
    Severity.CRITICAL: "proven bad: the verdict is critical, the exit status 2",
    Severity.UNKNOWN: "could not be checked: the exit status is 3, unless something is proven bad",
    Severity.WARNING: "restorable now, but at risk: the exit status is 1",
    Severity.INFO: "informational: does not affect the verdict",
}


def render_page(checks: Iterable[Check]) -> str:
    """Headings are the ids, so that `docs/findings.md#wal_gap` leads to one."""
    return "\n".join(_lines(sorted(checks, key=lambda check: check.id))) + "\n"


def _lines(checks: list[Check]) -> Iterator[str]:
    yield "# Findings"
    yield ""
    yield "Everything that `pitr-check` and the agent can find, made from the catalogue by"
    yield "`make docs`. `pitr-check explain FINDING` prints the same in the terminal."
    for severity in _ORDER:
        yield ""
        yield f"**{severity.value}** ({_MEANING[severity]}):"
        yield ""
        for check in checks:
            if check.severity is severity:
                yield f"- [`{check.id}`](#{check.id}): {_one_line(check.title)}"
    for check in checks:
        yield ""
        yield from _entry(check)


def _entry(check: Check) -> Iterator[str]:
    yield f"## {check.id}"
    yield ""
    held = f", after {check.hold_seconds:g} s" if check.hold_seconds else ""
    yield f"*{check.severity.value}{held}.* {_one_line(check.title)}"
    yield ""
    yield f"**Why it matters.** {check.why}"
    yield ""
    if check.look:
        yield f"**How to look.** {check.look}"
        yield ""
    yield f"**What to do.** {check.remedy}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
