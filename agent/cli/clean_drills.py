"""`pitr-check clean-drills`: what drills left that were killed together with their guardians."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent.cli import entry
from agent.errors import OK, UNKNOWN, CannotCheck, UsageError
from agent.language import say
from parsers.sentences import message_of, tr

_DESCRIPTION = """\
Ends the servers and removes the scratch areas of restore drills that are dead. One that is alive is
left alone. Looked into are the directories named, TMPDIR, /var/tmp, and whatever a drill of this
account made known there.
"""

_EPILOG = """\
examples:
  pitr-check clean-drills
  pitr-check clean-drills /srv/scratch
"""
_STATUSES = """\
exit status:
  0  nothing is left
  3  something could not be removed
  64 the command line is wrong
"""


def _parser() -> entry.Parser:
    parser = entry.Parser(
        prog="pitr-check clean-drills",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        statuses=_STATUSES,
    )
    parser.add_argument(
        "directories", nargs="*", type=Path, metavar="DIR", help="a --drill-directory used before"
    )
    return parser


def body(argv: Sequence[str]) -> int:
    """Remove them, a line each. What could not be removed is unknown."""
    directories: list[Path] = _parser().parse_args(argv).directories
    for directory in directories:
        if not directory.is_dir():
            raise UsageError(tr("{directory}: there is no such directory", directory=directory))
    from agent.drill.account import drill_account
    from agent.drill.area import default_base, sweep
    from agent.drill.errors import CannotDrill

    try:
        account = drill_account()
    except CannotDrill as error:
        raise CannotCheck(message_of(error)) from None
    removed = [path for base in directories or [default_base()] for path in sweep(base, account)]
    left = [path for path in removed if path.exists()]
    for path in removed:
        told = tr("could not be removed") if path in left else tr("removed")
        print(f"{path}: {say(told)}")
    if not removed:
        print(say(tr("no drill left anything")))
    return UNKNOWN if left else OK
