"""`pitr-agent completion`: a shell's completion for one of the programs.

Made of the programs' own parsers by shtab when it is asked for, so it cannot be out of date; what
it prints is static, so that no Python starts when somebody presses Tab.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping
from typing import Any, Final

from agent.cli.check import SUBCOMMANDS
from agent.language import ENGLISH, languages, say_constant

# Program -> the module of its parser, and those of its subcommands that have a module of their own.
PROGRAMS: Final[dict[str, tuple[str, Mapping[str, str]]]] = {
    "pitr-agent": ("agent.cli.agent", {}),
    "pitr-check": ("agent.cli.check", SUBCOMMANDS),
    "pitr-watch": ("agent.cli.watch", {}),
    "pitr-lab": ("agent.cli.lab", {}),
}
SHELLS: Final = ("bash", "zsh", "tcsh")
_PATHS: Final = ("FILE", "DIR", "URL", "PATH", "PUB")


def render_completion(program: str, shell: str) -> str:
    """The script to put where the shell looks for completions."""
    import shtab

    module, subcommands = PROGRAMS[program]
    parser = _parser_of(module)
    if subcommands:
        whole = argparse.ArgumentParser(prog=program, parents=[parser], add_help=False)
        commands = whole.add_subparsers()
        for name, its_module in subcommands.items():
            its = _parser_of(its_module)
            commands.add_parser(name, parents=[its], add_help=False, help=its.description)
        parser = whole
    if program == "pitr-agent":
        _add_fetch_wal(parser)
    if program == "pitr-check":
        _name_findings(parser)
    _complete_actions(parser, shtab.FILE)
    return str(shtab.complete(parser, shell))


def _parser_of(module: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = importlib.import_module(module)._parser()
    return parser


def _add_fetch_wal(parser: argparse.ArgumentParser) -> None:
    """The options of the command that has no argparse, for the sake of its start."""
    from agent.cli.fetch_wal import OPTIONS

    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    for option, what in OPTIONS.items():
        commands.choices["fetch-wal"].add_argument(option, metavar=what)


def _name_findings(parser: argparse.ArgumentParser) -> None:
    """What can be explained: the findings, and the alerts by whose names people know them."""
    from agent.cli.explain import names

    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    for action in commands.choices["explain"]._actions:
        if action.dest == "finding":
            action.choices = names()


def _complete_actions(parser: argparse.ArgumentParser, how: object) -> None:
    """Options that want a file or a directory complete one, `--lang` the languages there are."""
    for action in parser._actions:
        action.help = say_constant(action.help or "") or None
        if isinstance(action, argparse._SubParsersAction):
            for listed in action._choices_actions:
                listed.help = say_constant(listed.help or "")
            for child in action.choices.values():
                _complete_actions(child, how)
        elif "--lang" in action.option_strings:
            action.choices = sorted({ENGLISH, *languages()})
        elif action.metavar in _PATHS or "DIR" in str(action.metavar):
            _set(action, how)


def _set(action: Any, how: object) -> None:
    action.complete = how
