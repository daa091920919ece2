"""The options of `pitr-check` about signed evidence, and its writing."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.errors import UsageError
from agent.language import say
from parsers.sentences import message_of, tr

if TYPE_CHECKING:
    from agent.evidence.keys import SigningKey
    from rules.verdict.report import Report


def add_options(group: argparse._ArgumentGroup) -> None:
    """--evidence, --evidence-key, --evidence-limit."""
    group.add_argument(
        "--evidence",
        type=Path,
        metavar="DIR",
        help="append the verdict, and the drill, to the chain of signed statements in this"
        " directory, which is made if it is not there",
    )
    group.add_argument(
        "--evidence-key",
        type=Path,
        metavar="FILE",
        help="private key to sign with, as pitr-agent new-evidence-key writes it",
    )
    group.add_argument(
        "--evidence-limit",
        type=_size,
        metavar="SIZE",
        help="size of all statements beyond which the oldest are removed, as 500MB (default: 1GiB)",
    )
    group.add_argument(
        "--evidence-name",
        metavar="NAME",
        help="cluster's name in the statement (default: that of --cluster)",
    )


def _size(text: str) -> int:
    from agent.config.rates import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(message_of(error)) from None


def take(arguments: argparse.Namespace) -> SigningKey | None:
    """The key, before anything is read that takes long. None: no evidence. Raises UsageError."""
    if arguments.evidence is None:
        for option in ("evidence_key", "evidence_limit", "evidence_name"):
            if getattr(arguments, option) is not None:
                given = f"--{option.replace('_', '-')}"
                raise UsageError(tr("{option} is for --evidence DIR: add it", option=given))
        return None
    if arguments.evidence_key is None:
        raise UsageError(
            tr(
                "--evidence DIR and --evidence-key FILE go together:"
                " make a key with  pitr-agent new-evidence-key FILE"
            )
        )
    if str(arguments.evidence) in ("", "."):  # an unset variable in a script
        raise UsageError(tr("--evidence is empty: name a directory of its own for the statements"))
    from agent.evidence.keys import read_signing_key

    return read_signing_key(arguments.evidence_key)


def keep(report: Report, arguments: argparse.Namespace, key: SigningKey | None) -> Report:
    """Sign the report and append it. What could not be written becomes a finding of it."""
    if key is None:
        return report
    from agent.evidence.statement import draft_of
    from agent.evidence.writer import LIMIT_BYTES, CannotWriteEvidence, EvidenceWriter

    cluster = arguments.evidence_name or arguments.cluster
    configuration = {"backup_depth": arguments.backup_depth}
    draft = draft_of(report, "pitr-check", cluster, configuration)
    limit = arguments.evidence_limit or LIMIT_BYTES
    try:
        written = EvidenceWriter(arguments.evidence, key, limit_bytes=limit).write(draft)
    except CannotWriteEvidence as error:
        return _with_failure(report, str(arguments.evidence), message_of(error))
    # Whoever keeps this line can tell one day that the chain was not set back.
    told = tr(
        "evidence: statement {sequence} in {directory}, sha256 {digest}",
        sequence=written.sequence,
        directory=arguments.evidence,
        digest=written.digest,
    )
    print(say(told), file=sys.stderr)
    for name in written.dropped:
        told = tr("evidence: {name} was removed: all are over the limit", name=name)
        print(say(told), file=sys.stderr)
    return report


def _with_failure(report: Report, directory: str, said: str) -> Report:
    """The same report, and that nothing signed says so."""
    from rules.model.evidence import Evidence, SignedFacts
    from rules.model.findings import verdict_of
    from rules.verdict.check import judge, load_catalogue

    checks = {name: each for name, each in load_catalogue().items() if name == _CHECK}
    failed: dict[type, object] = {SignedFacts: SignedFacts(directory=directory, failure=said)}
    evidence = Evidence(now=report.now, objectives=report.case.context.objectives, facts=failed)
    added = judge(evidence, checks).findings
    findings = (*report.findings, *added)
    found = (*added, *(each for each in report.findings if each.severity.value == "info"))
    loud = tuple(each for each in findings if each not in found)
    return replace(
        report,
        findings=(*loud, *found),
        verdict=verdict_of(findings),
    )


_CHECK: Final = "evidence_not_written"
