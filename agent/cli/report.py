"""`pitr-check report`: what the signed statements of a period show, for an auditor."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from agent.cli import entry
from agent.cli.options import cost, deadline
from agent.errors import UsageError
from parsers.sentences import tr

_DESCRIPTION = """\
Makes a page of the signed statements of a period: by cluster, which verdicts held and for how long,
objectives met and missed with the times, drills beside their predictions, findings, changes of the
configuration. The chain is verified first.
"""

_EPILOG = """\
examples:
  pitr-check report --evidence /var/lib/pitr-evidence --key evidence.key.pub \\
             --from 2026-01-01 --to 2026-04-01 > evidence-2026-q1.html
  pitr-check report --evidence DIR --key PUB --from 2026-01-01 --to 2026-04-01 --format json
"""


def _parser() -> entry.Parser:
    parser = entry.Parser(prog="pitr-check report", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument(
        "--evidence", type=Path, required=True, metavar="DIR", help="directory of statements"
    )
    parser.add_argument(
        "--key",
        type=Path,
        action="append",
        metavar="PUB",
        dest="keys",
        help="public key that statements may be signed by; may be repeated, after a change of keys",
    )
    parser.add_argument(
        "--from",
        required=True,
        metavar="T",
        dest="begin",
        help="begin of the period (ISO 8601; a date is its midnight, UTC)",
    )
    parser.add_argument("--to", required=True, metavar="T", dest="end", help="end of the period")
    cost.add_timeout(parser)
    parser.add_argument(
        "--format", default="html", choices=("html", "json"), help="default: %(default)s"
    )
    return parser


def body(argv: Sequence[str]) -> int:
    """Print the page; 0, or 2 for a chain that is not whole, 3 for a period without statements."""
    arguments = _parser().parse_args(argv)
    begin, end = _period(arguments)
    if not arguments.keys:
        raise UsageError(
            tr("--key PUB is missing: a report of what nobody verified proves nothing")
        )
    deadline.begin(arguments.timeout)
    from agent.documents.render import render_json
    from agent.evidence.keys import read_public_keys
    from agent.evidence.period import report_document
    from agent.evidence.verify import verify_directory
    from rules.evidence.chain import Chain
    from rules.model.findings import Verdict

    now = datetime.now(UTC)

    def show(chain: Chain) -> dict[str, Any]:
        return report_document(arguments.evidence, chain, begin, min(end, now), now)

    def print_failure(why: str) -> None:
        print(render_json(show(Chain(links=(), problems=(), notes=(why,)))))

    with deadline.documented(print_failure if arguments.format == "json" else None):
        keys = read_public_keys(arguments.keys)
        document = show(verify_directory(arguments.evidence, keys, ()))
    if arguments.format == "json":
        print(render_json(document))
    else:
        from agent.evidence.render_html import render_report

        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")  # as the document says of itself
        print(render_report(document))
    return Verdict(document["verdict"]).status


def _period(arguments: argparse.Namespace) -> tuple[datetime, datetime]:
    begin = entry.instant("--from", arguments.begin)
    end = entry.instant("--to", arguments.end)
    if not begin < end:
        raise UsageError(
            tr("--to {end} is not after --from {begin}", end=arguments.end, begin=arguments.begin)
        )
    if begin > datetime.now(UTC):
        raise UsageError(tr("--from {begin} lies in the future", begin=arguments.begin))
    return begin, end
