"""`pitr-check verify-evidence`: whether signed statements are whole, and an archive as they say."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli import entry
from agent.cli.options import cost, deadline, repository_options
from agent.errors import UsageError
from parsers.sentences import tr

if TYPE_CHECKING:
    from agent.evidence.verify import ArchiveToday
    from rules.evidence.chain import Chain

_DESCRIPTION = """\
Verifies a directory of signed statements: every signature, that none was altered, removed, repeated
or put elsewhere, that the end was not cut off. With --archive or --repository it also reads the WAL
again and says whether it still is what was proven. It only reads.
"""

_EPILOG = """\
A chain cannot show by itself that all of it was set back to an earlier state. Every writer prints
the digest of its statement; give one that was noted elsewhere with --expect.

examples:
  pitr-check verify-evidence /var/lib/pitr-evidence --key evidence.key.pub
  pitr-check verify-evidence /var/lib/pitr-evidence --key evidence.key.pub --archive /backup/wal
  pitr-check verify-evidence DIR --key old.pub --key new.pub --expect SHA256 --format json
"""


def _parser() -> entry.Parser:
    parser = entry.Parser(
        prog="pitr-check verify-evidence", description=_DESCRIPTION, epilog=_EPILOG
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="what --evidence named")
    parser.add_argument(
        "--key",
        type=Path,
        action="append",
        required=True,
        metavar="PUB",
        dest="keys",
        help="public key that statements may be signed by; may be repeated, after a change of keys",
    )
    parser.add_argument(
        "--archive",
        action="append",
        default=[],
        metavar="URL",
        dest="archives",
        help="read this archive again and compare it with what was proven of it; may be repeated",
    )
    repository_options.add_sources(parser.add_argument_group("repositories of other tools"))
    parser.add_argument(
        "--expect",
        type=_sha256,
        action="append",
        default=[],
        metavar="SHA256",
        help="digest of a statement that must be there; may be repeated",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="segments that are read at once (default: %(default)s)",
    )
    cost.add_timeout(parser)
    parser.add_argument(
        "--format", default="text", choices=("text", "json"), help="default: %(default)s"
    )
    return parser


def _sha256(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise argparse.ArgumentTypeError(
            tr("{text!r} is no SHA-256: write 64 hexadecimal digits", text=text)
        )
    return text.lower()


def body(argv: Sequence[str]) -> int:
    """Verify, print, and give the status: 0 whole, 2 not as it was signed, 3 not all was told."""
    arguments = _parser().parse_args(argv)
    if arguments.workers < 1:
        raise UsageError(tr("--workers {workers}: at least 1 is needed", workers=arguments.workers))
    deadline.begin(arguments.timeout)
    from agent.documents.render import render_json, render_text
    from agent.evidence.verification import (
        unverified_document,
        verdict_of_evidence,
        verification_document,
        verification_lines,
    )

    directory: Path = arguments.directory
    as_json = arguments.format == "json"

    def print_failure(why: str) -> None:
        print(render_json(unverified_document(directory, why)))

    with deadline.documented(print_failure if as_json else None):
        chain, today = _verify(arguments)
    if as_json:
        print(render_json(verification_document(directory, chain, today)))
    else:
        print(render_text(verification_lines(directory, chain, today)))
    return verdict_of_evidence(chain, today).status


def _verify(arguments: argparse.Namespace) -> tuple[Chain, list[ArchiveToday]]:
    """The statements, and each archive as it is now."""
    from agent.cli.options.sources import place_of
    from agent.evidence.keys import read_public_keys
    from agent.evidence.verify import compare_archive, list_today, verify_directory
    from agent.inputs.progress import progress_bar

    urls = [place_of("--archive", url) for url in arguments.archives]
    arguments.backups, arguments.configured = [], ()
    repository_options.take(arguments)
    keys = read_public_keys(arguments.keys)
    chain = verify_directory(arguments.directory, keys, arguments.expect)
    repositories = repository_options.open_repositories(arguments)
    archives, today = [*map(list_today, urls), *repositories.list_archives()], []
    with progress_bar(shown=arguments.format == "text") as on_progress:
        for archive in archives:
            tell = on_progress or (lambda *_: None)
            today.append(compare_archive(archive, chain, arguments.workers, tell))
    return chain, today
