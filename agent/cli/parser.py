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
from agent.language import say, say_constant
from agent.near import did_you_mean
from parsers.sentences import Sentence, tr

EXIT_STATUSES: Final = tr(
    """\
exit status:
  0  ok
  1  warning
  2  critical: proven not restorable, or the restore failed
  3  unknown: it could not be checked
  64 the command line or the configuration is wrong
"""
)
# What argparse says by itself, of a command line and in its help.
_BY_ARGPARSE: Final = (
    tr("argument {name}: {message}"),
    tr("the following arguments are required: {names}"),
    tr("unrecognized arguments: {names}"),
    tr("invalid choice: {choice} (choose from {choices})"),
    tr("expected one argument"),
    tr("expected at least one argument"),
    tr("expected at most one argument"),
    tr("not allowed with argument {name}"),
    tr("ignored explicit argument {value}"),
    tr("positional arguments"),
    tr("options"),
    tr("show this help message and exit"),
)
_OUT_OF_A_LIST: Final = re.compile(r"invalid choice: '?([^']*?)'? \(choose from (.*)\)")
_NO_NUMBER: Final = re.compile(r"argument (.*): invalid int value: ('.*')")
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
        statuses = say_constant(options.pop("statuses", EXIT_STATUSES))
        epilog = say_constant(options.pop("epilog", None) or "")
        self._subcommands: frozenset[str] = frozenset(options.pop("subcommands", ()))
        self._in_brief: frozenset[str] = frozenset(options.pop("in_brief", ()))
        super().__init__(
            epilog=f"{epilog}\n{statuses}" if epilog else statuses,
            description=say_constant(options.pop("description", None) or ""),
            formatter_class=_Formatter,
            allow_abbrev=False,
            **options,
        )
        self._words: Sequence[str] = ()
        if self.add_help:
            self.add_argument(
                "--lang",
                metavar="L",
                help="the language to speak, as es (default: the locale's); JSON stays as it is",
            )
            if self._in_brief:
                self.add_argument("--help-all", action=_HelpAll)
            self.add_argument("--version", action=ShowVersion)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        arguments, unknown = self.parse_known_args(args, namespace)
        if unknown:
            chosen = self._chosen(self._words)
            chosen.error(tr("unrecognized arguments: {names}", names=chosen._meant(unknown[0])))
        return arguments

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self._words = sys.argv[1:] if args is None else list(args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        raise UsageError(
            tr(
                "{message} (type  {program} --help)",
                message=self._with_meant(message),
                program=self.prog,
            )
        )

    def format_help(self) -> str:
        """What `--help` shows."""
        if not self._in_brief:
            return super().format_help()
        usage = say(tr("usage: {program} [OPTION]...", program=self.prog))
        parts = [usage, self.description or ""]
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
            yield f"{say_constant(group.title or '')}:"
        for action in actions:
            shown = f"  {_shown(action)}  ".ljust(_COLUMN)
            yield f"{shown}{_first_words(self._expanded(action), _WIDTH - len(shown))}"

    def _brief_lines(self, group: argparse._ArgumentGroup) -> Iterator[str]:
        """The options alone, none of them broken."""
        named = ", ".join(_shown(action).replace(" ", NO_BREAK) for action in _visible(group))
        title = say_constant(group.title or "").partition(" (")[0]
        text = f"{title}: {named}"
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
        if isinstance(message, Sentence):
            return message
        if found := _OUT_OF_A_LIST.search(message):
            choices = [each.strip().strip("'") for each in found[2].split(", ")]
            meant = did_you_mean(found[1], choices)
            return tr("{message}{meant}", message=_sentence(message), meant=meant)
        if _REQUIRED in message:
            lacking = next((name for name in _FOR_A_PATH if message.endswith(f" {name}")), None)
            path = next(_bare_paths(self._words), None)
            if lacking and path:
                return _lacks_its_option(path, lacking)
            unknown = [word for word in self._words if self._is_unknown(word)]
            if unknown and (near := did_you_mean(_name(unknown[0]), self._long_options())):
                named = tr("{name}{meant}", name=_name(unknown[0]), meant=near)
                return tr("unrecognized arguments: {names}", names=named)
        if found := _NO_NUMBER.fullmatch(message):
            no_number = tr("{value} is not a whole number", value=found[2])
            return tr("argument {name}: {message}", name=found[1], message=no_number)
        return _sentence(message)

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """What ArgumentTypeError says stays a sentence."""
        try:
            return super()._get_value(action, arg_string)
        except argparse.ArgumentError as error:
            raised = error.__context__
            if not isinstance(raised, argparse.ArgumentTypeError):
                raise
            name = argparse._get_action_name(action)
            self.error(tr("argument {name}: {message}", name=name, message=raised))

    def _is_unknown(self, word: str) -> bool:
        return word.startswith("-") and _name(word) not in self._option_string_actions

    def _meant(self, word: str) -> str:
        options = self._long_options()
        if word.startswith("-"):
            meant = did_you_mean(_name(word), options)
            return tr("{name}{meant}", name=_name(word), meant=meant)
        if word in self._subcommands:
            return tr(
                "{word}: a subcommand comes first, as {program} {word} …",
                word=word,
                program=self.prog,
            )
        before = [name for name in _FOR_A_PATH if name in options]
        if before and ("/" in word or "://" in word):
            return _lacks_its_option(word, before[0])
        return word

    def _long_options(self) -> list[str]:
        return [name for name in self._option_string_actions if name.startswith("--")]


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """argparse's, in the language that is spoken."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return say_constant(action.help) if action.help else None

    def _format_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None) -> str:
        said = say(tr("usage: ")) if prefix is None else prefix
        return super()._format_usage(usage, actions, groups, said)

    def start_section(self, heading: str | None) -> None:
        super().start_section(say_constant(heading) if heading else heading)


class _HelpAll(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(
            option_strings,
            dest=argparse.SUPPRESS,
            nargs=0,
            help="explain every option in full, and exit",
        )

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        assert isinstance(parser, Parser)
        print(parser.format_full_help(), end="")
        parser.exit()


def _sentence(message: str) -> str:
    """What argparse says, as a sentence."""
    for template in _BY_ARGPARSE:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+?)", re.escape(template))
        if found := re.fullmatch(pattern, message, re.DOTALL):
            fields = found.groupdict()
            if "message" in fields:
                fields["message"] = _sentence(fields["message"])
            return tr(template, **fields)
    return message


def _lacks_its_option(word: str, option: str) -> str:
    return tr("{word}: name its option before it, as {option} {word}", word=word, option=option)


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
    """What was typed. `help` and `version` as a first word are the options that they sound like;
    `--lang` may stand before a subcommand.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    first = next(iter(words), "")
    end = 2 if first == "--lang" else 1 if first.startswith("--lang=") else 0
    language, words = words[:end], words[end:]
    if words[:1] == ["help"]:
        return [*words[1:], *language, "--help"]
    if words == ["version"]:
        return [*language, "--version"]
    before = 1 if words and not words[0].startswith("-") else 0
    return [*words[:before], *language, *words[before:]]
