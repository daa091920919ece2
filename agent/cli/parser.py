"""The parser of every command: its help, its version, and what is said of a word it does not know.

`--help` fits a screen: one line an option, and of what all commands have in common only the names;
`--help-all` explains every option in full.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Final, NoReturn, cast

from agent.cli.version import ShowVersion
from agent.errors import UsageError
from agent.near import did_you_mean

EXIT_STATUSES: Final = """\
exit status:
  0  ok
  1  warning
  2  critical: proven not restorable, or the restore failed
  3  unknown: it could not be checked
  64 the command line or the configuration is wrong
"""
# As argparse words them.
_OUT_OF_A_LIST: Final = re.compile(r"invalid choice: '?([^']*?)'? \(choose from (.*)\)")
_NO_NUMBER: Final = re.compile(r"invalid int value: ('.*')")
_REQUIRED: Final = "the following arguments are required"
# The groups that several commands have alike.
SHARED: Final = ("repositories of other tools", "at what cost")
_FOR_A_PATH: Final = ("--pgdata", "--archive", "--config", "--dir")
_CLAUSE_END: Final = re.compile(r" \(|[;:,]|\. ")
_WIDTH: Final = 99
NO_BREAK: Final = "\N{NO-BREAK SPACE}"
_COLUMN: Final = 30  # where the help of an option begins


class Parser(argparse.ArgumentParser):
    """argparse with this product's usage status, its version, and the statuses in every `--help`.

    What is not known is answered with what was probably meant. `statuses` are those of a command
    that has its own; `in_brief` the titles of groups of which `--help` only names the options;
    `subcommands` the first words that other parsers are for.
    """

    def __init__(self, **options: Any) -> None:
        epilog, statuses = options.pop("epilog", None), options.pop("statuses", EXIT_STATUSES)
        self._subcommands: frozenset[str] = frozenset(options.pop("subcommands", ()))
        self._in_brief: frozenset[str] = frozenset(options.pop("in_brief", ()))
        super().__init__(
            epilog=f"{epilog}\n{statuses}" if epilog else statuses,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **options,
        )
        self._words: Sequence[str] = ()
        if self.add_help:
            if self._in_brief:
                self.add_argument("--help-all", action=_HelpAll)
            self.add_argument("--version", action=ShowVersion)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        arguments, unknown = self.parse_known_args(args, namespace)
        if unknown:
            chosen = self._chosen(self._words)
            chosen.error(f"unrecognized arguments: {chosen._meant(unknown[0])}")
        return arguments

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self._words = sys.argv[1:] if args is None else list(args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self._with_meant(message)} (type  {self.prog} --help)")

    def format_help(self) -> str:
        """What `--help` shows."""
        if not self._in_brief:
            return super().format_help()
        parts = [f"usage: {self.prog} [OPTION]...", self.description or ""]
        in_full = [group for group in self._action_groups if group.title not in self._in_brief]
        in_brief = [group for group in self._action_groups if group.title in self._in_brief]
        parts += ["\n".join(self._group_lines(group)) for group in in_full]
        parts.append("\n".join(line for group in in_brief for line in self._brief_lines(group)))
        parts.append(self.epilog or "")
        return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"

    def format_full_help(self) -> str:
        """What `--help-all` shows."""
        return super().format_help()

    def _group_lines(self, group: argparse._ArgumentGroup) -> Iterator[str]:
        """An option a line."""
        actions = _visible(group)
        if actions:
            yield f"{group.title}:"
        for action in actions:
            shown = f"  {_shown(action)}  ".ljust(_COLUMN)
            yield f"{shown}{_first_words(self._expanded(action), _WIDTH - len(shown))}"

    def _brief_lines(self, group: argparse._ArgumentGroup) -> Iterator[str]:
        """The options alone, none of them broken."""
        named = ", ".join(_shown(action).replace(" ", NO_BREAK) for action in _visible(group))
        text = f"{(group.title or '').partition(' (')[0]}: {named}"
        wrapped = textwrap.wrap(text, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
        yield from (line.replace(NO_BREAK, " ") for line in wrapped if named)

    def _expanded(self, action: argparse.Action) -> str:
        return self._get_formatter()._expand_help(action) if action.help else ""

    def _chosen(self, words: Sequence[str]) -> Parser:
        """The subcommand's parser, where there are subcommands and one of them was typed."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                for word in words:
                    if word in action.choices:
                        return cast(Parser, action.choices[word])
        return self

    def _with_meant(self, message: str) -> str:
        """An option that is required, or a word out of a list: there may be one much like it."""
        if found := _OUT_OF_A_LIST.search(message):
            choices = [each.strip().strip("'") for each in found[2].split(", ")]
            return message + did_you_mean(found[1], choices)
        if _REQUIRED in message:
            lacking = next((name for name in _FOR_A_PATH if message.endswith(f" {name}")), None)
            path = next(_bare_paths(self._words), None)
            if lacking and path:
                return f"{path}: name its option before it, as {lacking} {path}"
            unknown = [word for word in self._words if self._is_unknown(word)]
            if unknown and (near := did_you_mean(_name(unknown[0]), self._long_options())):
                return f"unrecognized arguments: {_name(unknown[0])}{near}"
        return _NO_NUMBER.sub(r"\1 is not a whole number", message)

    def _is_unknown(self, word: str) -> bool:
        return word.startswith("-") and _name(word) not in self._option_string_actions

    def _meant(self, word: str) -> str:
        options = self._long_options()
        if word.startswith("-"):
            return _name(word) + did_you_mean(_name(word), options)
        if word in self._subcommands:
            return f"{word}: a subcommand comes first, as {self.prog} {word} …"
        before = [name for name in _FOR_A_PATH if name in options]
        if before and ("/" in word or "://" in word):
            return f"{word}: name its option before it, as {before[0]} {word}"
        return word

    def _long_options(self) -> list[str]:
        return [name for name in self._option_string_actions if name.startswith("--")]


class _HelpAll(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        options.setdefault("help", "explain every option in full, and exit")
        super().__init__(option_strings, dest=argparse.SUPPRESS, nargs=0, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        assert isinstance(parser, Parser)
        print(parser.format_full_help(), end="")
        parser.exit()


def _shown(action: argparse.Action) -> str:
    """An option and its argument, or a word and what it stands for."""
    name = ", ".join(action.option_strings)
    if action.nargs == 0:
        return name
    choices = "|".join(map(str, action.choices)) if action.choices else None
    what = action.metavar or choices or action.dest.upper()
    argument = f"[{what}]" if action.nargs == "?" else str(what)
    return f"{name} {argument}" if name else argument


def _visible(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    return [each for each in group._group_actions if each.help is not argparse.SUPPRESS]


def _first_words(text: str, room: int) -> str:
    """As much of a help as one line has room for: to the end of a clause, if one ends there."""
    if len(text) <= room:
        return text
    ends = [found.start() for found in _CLAUSE_END.finditer(text[:room])]
    whole = [end for end in ends if text.count("(", 0, end) == text.count(")", 0, end)]
    return text[: whole[-1]].strip() if whole else textwrap.shorten(text, room, placeholder=" …")


def _bare_paths(words: Sequence[str]) -> Iterator[str]:
    """What looks like a path and stands after no option."""
    for before, word in zip(("", *words), words, strict=False):
        is_path = "/" in word or word.endswith((".yaml", ".yml"))
        if is_path and not before.startswith("-") and not word.startswith("-"):
            yield word


def _name(word: str) -> str:
    return word.partition("=")[0]


def words_of(argv: Sequence[str] | None) -> Sequence[str]:
    """What was typed; `help` and `version` as a first word are the options that they sound like."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] == ["help"]:
        return [*words[1:], "--help"]
    return ["--version"] if words == ["version"] else words
