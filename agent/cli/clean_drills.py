"""`pitr-check clean-drills`: what drills left that were killed together with their guardians."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent.cli import entry

_DESCRIPTION = """\
Ends the servers and removes the scratch areas of restore drills that are dead. One that is alive is
left alone. Looked into are the directories named, TMPDIR, /var/tmp, and whatever a drill of this
account made known there.
"""


def _parser() -> entry.Parser:
    parser = entry.Parser(prog="pitr-check clean-drills", description=_DESCRIPTION)
    parser.add_argument(
        "directories", nargs="*", type=Path, metavar="DIR", help="a --drill-directory of before"
    )
    return parser


def body(argv: Sequence[str]) -> int:
    """Remove them, a line each. What could not be removed is unknown."""
    directories: list[Path] = _parser().parse_args(argv).directories
    for directory in directories:
        if not directory.is_dir():
            raise entry.UsageError(f"{directory}: there is no such directory")
    from agent.drill.area import default_base, sweep
    from agent.postgres.account import server_account

    try:
        account = server_account()
    except LookupError as error:
        raise entry.CannotCheck(str(error)) from None
    removed = [path for base in directories or [default_base()] for path in sweep(base, account)]
    left = [path for path in removed if path.exists()]
    for path in removed:
        print(f"{path}: {'could not be removed' if path in left else 'removed'}")
    if not removed:
        print("no drill left anything")
    return entry.UNKNOWN if left else entry.OK
