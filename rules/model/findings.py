"""What a check says, how bad it is, and the verdict that follows from all of them."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Final

from parsers.sentences import tr
from parsers.values import dataclass

CANNOT_CHECK: Final = "cannot_check"  # the finding of a run that could look at nothing


_WORDS: Final = {
    "ok": tr("OK"),
    "info": tr("INFO"),
    "warning": tr("WARNING"),
    "critical": tr("CRITICAL"),
    "unknown": tr("UNKNOWN"),
}


class Severity(enum.Enum):
    """How bad a finding is; `verdict_of` ranks them. Its value is the word in JSON."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"

    @property
    def word(self) -> str:
        """For a person."""
        return _WORDS[self.value]


class Verdict(enum.Enum):
    """The one-word answer. Its value is the word in JSON, its `status` the exit status."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"

    @property
    def status(self) -> int:
        return _STATUS[self]

    @property
    def word(self) -> str:
        """For a person."""
        return _WORDS[self.value]


_STATUS = {Verdict.OK: 0, Verdict.WARNING: 1, Verdict.CRITICAL: 2, Verdict.UNKNOWN: 3}

EvidenceValue = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found, once. The same object becomes metric, line and JSON."""

    id: str  # the check's file name in rules/catalogue/
    severity: Severity
    summary: str  # one line for a person
    remedy: str  # what to do or type next
    evidence: Mapping[str, EvidenceValue] = field(default_factory=dict)
    because: str | None = None  # the id of the finding that it follows from; None: by itself
    note: bool = False  # info from a check of another severity: neither counted nor alerted of


def verdict_of(findings: Iterable[Finding], *, blind: bool = False) -> Verdict:
    """The worst of the findings: proven bad beats unknown, unknown beats a warning.

    `blind`: a check lacked its evidence, so what it found is not all there is.

    >>> verdict_of([])
    <Verdict.OK: 'ok'>
    """
    severities = {finding.severity for finding in findings}
    if blind:
        severities.add(Severity.UNKNOWN)
    for severity, verdict in (
        (Severity.CRITICAL, Verdict.CRITICAL),
        (Severity.UNKNOWN, Verdict.UNKNOWN),
        (Severity.WARNING, Verdict.WARNING),
    ):
        if severity in severities:
            return verdict
    return Verdict.OK
