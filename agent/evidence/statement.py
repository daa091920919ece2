"""A statement, as an in-toto document: what was found, of which backup and WAL, by whom, when."""

from __future__ import annotations

import getpass
import json
import platform
from collections.abc import Container, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Final

from agent import __version__
from agent.documents.drill import drill_document
from agent.documents.values import json_time
from agent.documents.verdict import verdict_document
from agent.evidence.words import LIST_MAX, to_be_kept, without_secrets
from parsers.evidence.statement import (
    PREDICATE_TYPE,
    SCHEMA,
    STATEMENT_TYPE,
    Kind,
    WalChange,
)
from parsers.values import dataclass
from rules.case.case import Case
from rules.case.derived.listing import Listings
from rules.case.observations import SettledSegments
from rules.evidence.objectives import objectives_met
from rules.model.facts import BackupFacts
from rules.verdict.report import Report

_DIGEST_BYTES: Final = 32  # SHA-256


@dataclass(frozen=True, slots=True, kw_only=True)
class WalRead:
    """The WAL of some archives as it was read just now."""

    name: str
    archives: tuple[str, ...]
    digests: Mapping[str, str]  # segment -> SHA-256 of its content, of the sound ones
    listed: Container[str]  # segments that the archives have


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to be stated; its place in the chain is given when it is written."""

    kind: Kind
    cluster: str | None = None
    subjects: tuple[dict[str, Any], ...] = ()
    wal: WalRead | None = None  # None: no WAL was read
    body: Mapping[str, Any] = field(default_factory=dict)  # of the predicate


def draft_of(
    report: Report,
    program: str,
    cluster: str | None,
    configuration: Mapping[str, Any],
    blind: Container[str] = (),
) -> Draft:
    """A verdict, or the drill in it, as a statement. `blind`: checks without their evidence."""
    document, shortened = to_be_kept(verdict_document(report))
    return Draft(
        kind="drill" if report.drill else "verdict",
        cluster=cluster,
        subjects=tuple(
            subject for backup in report.backups if (subject := _backup_subject(backup.facts))
        ),
        wal=_wal_read(report.case, report.system_identifier),
        body={
            "by": _who(program),
            "configuration": _configuration(report, configuration),
            "objectives": objectives_met(report.case, report.findings, report.now, blind),
            "prediction": _prediction(document),
            "comparison": _comparison(report, document),
            "shortened": shortened,
            "verdict": document,
        },
    )


def _backup_subject(facts: BackupFacts) -> dict[str, Any] | None:
    """By the digest of its manifest, else of its label; None: neither was read."""
    if facts.identified_by is None:
        return None
    file, digest = facts.identified_by
    return {
        "name": f"backup/{facts.name}",
        "digest": {"sha256": digest},
        "annotations": {"file": file, "url": without_secrets(facts.url)},
    }


def _wal_read(case: Case, system_identifier: int | None) -> WalRead | None:
    """What was read of the archives; None at depth names, or where nothing could be read."""
    listings, settled = case.get(Listings), case.get(SettledSegments)
    if listings is None or not listings.archives or settled is None:
        return None
    urls = tuple(sorted(without_secrets(each.url) for each in listings.archives))
    listed = frozenset[str]().union(*(each.segments.keys() for each in listings.archives))
    return WalRead(
        name=f"wal/{system_identifier or 'unknown'} {' '.join(urls)}",
        archives=urls,
        digests={
            name: scanned.digest.hex()
            for name, scanned in settled.scans.items()
            if name in listed
            and scanned.sound
            and scanned.digest is not None
            and len(scanned.digest) == _DIGEST_BYTES
        },
        listed=listed,
    )


def _who(program: str) -> dict[str, Any]:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        user = None
    return {
        "program": program,
        "version": __version__,
        "python": platform.python_version(),
        "user": user,
        "host": platform.node() or None,
    }


def _configuration(report: Report, more: Mapping[str, Any]) -> dict[str, Any]:
    """What a person set, as far as it decides what was looked at and what it is held against."""
    context = report.case.context
    wanted = context.objectives
    named = {
        "rpo": wanted.rpo_seconds if wanted.rpo_seconds != float("inf") else None,
        "rto": wanted.rto_seconds,
        "window": wanted.window_seconds,
        "backup_age": wanted.backup_age_seconds,
        "drill_age": wanted.drill_age_seconds,
    }
    return {
        "archives": [without_secrets(each.facts.url) for each in report.archives],
        "depth": context.depth,
        "via": context.way.via,
        "objectives_seconds": named,
        "acknowledged_gaps": [
            {"timeline": gap.timeline, "first": gap.first, "last": gap.last, "why": gap.why}
            for gap in context.acknowledged
        ],
        **more,
    }


def _prediction(document: Mapping[str, Any]) -> dict[str, Any]:
    """What PostgreSQL will do, as it can be contradicted; the whole target is in the verdict."""
    target = document["target"]
    kept = ("type", "value", "timeline", "backup", "outcome", "fatal", "reachable", "stop",
            "last_transaction", "new_timeline")  # fmt: skip
    return {name: target[name] for name in kept}


def _comparison(report: Report, document: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a drill did beside what was predicted of it; None: there was none."""
    drill = report.drill
    if drill is None:
        return None
    said = to_be_kept({"drill": drill_document(drill)})[0]["drill"]
    return {
        "agrees": drill.agrees,
        "outcome": drill.outcome,
        "disagreements": said["disagreements"][:LIST_MAX],
        "server": drill.server,
        "predicted_outcome": drill.predicted.outcome if drill.predicted else None,
        "stop": document["drill"]["stop"],
    }


def wal_part(change: WalChange) -> dict[str, Any]:
    """A change of the WAL that is proven, as the predicate has it."""
    return {
        "name": change.name,
        "archives": list(change.archives),
        "segments": change.count,
        "sha256": change.root,
        "whole": change.whole,
        "read": [f"{name} {digest}" for name, digest in change.read.items()],
        "gone": list(change.gone),
    }


def render_statement(
    draft: Draft,
    change: WalChange | None,
    *,
    chain: str,
    sequence: int,
    previous: str | None,
    at: datetime,
    found: tuple[str, ...] = (),
) -> bytes:
    """The payload of an envelope. Names that are no text are escaped: it is ASCII.

    `found` is what its writer found amiss with the chain.
    """
    subjects = [*draft.subjects]
    if change is not None:
        subjects.append({"name": change.name, "digest": {"sha256": change.root}})
    if not subjects:  # a statement needs one: what it follows
        of = previous or "0" * 64
        subjects.append({"name": f"statement/{sequence - 1}", "digest": {"sha256": of}})
    document = {
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "schema": SCHEMA,
            "kind": draft.kind,
            "chain": chain,
            "sequence": sequence,
            "previous": {"sha256": previous} if previous else None,
            "at": json_time(at),
            "cluster": draft.cluster,
            **({"found": list(found)} if found else {}),
            **({"wal": wal_part(change)} if change else {}),
            **draft.body,
        },
    }
    return json.dumps(document, separators=(",", ":")).encode()
