"""`--version`: the release, and which engine reads WAL."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from agent import __version__
from agent.language import say


class ShowVersion(argparse.Action):
    """Looks for the engine only when it is asked."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(
            option_strings,
            dest=argparse.SUPPRESS,
            nargs=0,
            help="show program's version number and exit",
        )

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from agent.engine import engine_lines

        program = parser.prog.partition(" ")[0]  # of a subcommand: it is the program's
        print(f"{program} {__version__}", *map(say, engine_lines()), sep="\n")
        parser.exit()
