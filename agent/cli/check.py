"""`pitr-check`: one verdict about backups, an archive and a target."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent import __version__
from agent.cli import cost, entry
from agent.cli.drill_options import add_drill_options, drill_asked_for

if TYPE_CHECKING:
    from rules.goal import Goal
    from rules.report import Question, Report
    from rules.target import Target

_DESCRIPTION = """\
Says whether backups can be restored with the WAL that an archive holds, and to where. It reads
files and nothing else: no server is needed, nothing is written. Only --try-restore-command runs a
command, the one that a restore would run, and --drill restores for real, in a place of its own.
"""

_EPILOG = """\
and besides (each has a --help of its own):
  pitr-check find …              what happened in the WAL, and the target just before it
  pitr-check retention …         which WAL each backup still needs, and what a deletion would cost
  pitr-check explain FINDING     what a finding means, and what to do
  pitr-check clean-drills        removes what a drill that was killed left behind

examples:
  pitr-check --archive /backup/wal --backup /backup/base
  pitr-check --archive /backup/wal --backups /backup --depth headers --format nagios
  pitr-check --config pitr.yaml --cluster laboratorio --format json
  pitr-check --archive /backup/wal --backups /backup --drill --probe 'SELECT count(*) > 0 FROM t=t'
"""

# A first word that is no option -> the module whose `body` runs it, imported only then.
_SUBCOMMANDS: Final = {
    "clean-drills": "agent.cli.clean_drills",
    "explain": "agent.cli.explain",
    "find": "agent.cli.find",
    "retention": "agent.cli.retention",
}

_TRY_SECONDS: Final = 60.0
_TARGETS = ("time", "lsn", "xid", "name")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the command."""
    words = sys.argv[1:] if argv is None else argv
    subcommand = _SUBCOMMANDS.get(words[0]) if words else None
    if subcommand is None:
        return entry.run("pitr-check", _body, words)
    return entry.run(f"pitr-check {words[0]}", import_module(subcommand).body, words[1:])


def _parser() -> argparse.ArgumentParser:
    parser = entry.Parser(prog="pitr-check", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"pitr-check {__version__}")
    add_sources(parser.add_argument_group("what to look at"))
    _add_target(parser.add_argument_group("recovery target (none: the end of the WAL)"))
    _add_depths(parser.add_argument_group("how closely"))
    cost.add_options(parser.add_argument_group("at what cost"))
    add_drill_options(parser.add_argument_group("restore drill"))
    parser.add_argument(
        "--format",
        default="text",
        choices=("text", "json", "nagios", "prometheus", "html"),
        help="how the verdict is printed (default: %(default)s)",
    )
    return parser


def add_sources(what: argparse._ArgumentGroup) -> None:
    """The options that name archives and backups: of this command and of its subcommands."""
    what.add_argument(
        "--archive",
        action="append",
        default=[],
        metavar="URL",
        dest="archives",
        help="a directory that archive_command writes to; may be repeated",
    )
    what.add_argument(
        "--wal",
        action="append",
        default=[],
        metavar="DIR",
        dest="elsewhere",
        help="WAL that is in no archive, as a dead primary's pg_wal; may be repeated",
    )
    what.add_argument(
        "--backup",
        action="append",
        default=[],
        metavar="URL",
        dest="backups",
        help="a base backup; may be repeated",
    )
    what.add_argument(
        "--backups", metavar="URL", dest="backups_below", help="a directory with base backups in it"
    )
    what.add_argument(
        "--layout",
        default="auto",
        choices=("auto", "directory"),
        help="how the archives are laid out: auto tells it from what is there; directory, the one"
        " known today, is WAL files flat or nested by date, plain or compressed",
    )
    what.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="take archives and backups from the agent's file",
    )
    what.add_argument("--cluster", metavar="NAME", help="which cluster of it")


def _add_target(target: argparse._ArgumentGroup) -> None:
    one = target.add_mutually_exclusive_group()
    for name in _TARGETS:
        one.add_argument(
            f"--target-{name}", metavar=name[0].upper(), help=f"as recovery_target_{name}"
        )
    one.add_argument("--target-immediate", action="store_true", help="as recovery_target")
    target.add_argument("--exclusive", action="store_true", help="recovery_target_inclusive = off")
    target.add_argument(
        "--timeline", default="latest", help="latest (default), current or a number"
    )
    target.add_argument("--action", default="promote", choices=("promote", "pause", "shutdown"))


def _add_depths(how: argparse._ArgumentGroup) -> None:
    how.add_argument(
        "--depth",
        default="records",
        choices=("names", "headers", "records"),
        help="how far to look into the WAL (default: %(default)s)",
    )
    how.add_argument(
        "--backup-depth",
        default="files",
        choices=("label", "files", "checksums"),
        help="how far to look into the backups (default: %(default)s)",
    )
    how.add_argument(
        "--other-machine",
        action="store_true",
        help="the restore is for another machine: what it must have there is said, not looked at",
    )
    how.add_argument("--now", metavar="T", help="the instant to judge ages by (ISO 8601)")
    how.add_argument(
        "--wait",
        type=entry.duration,
        default=0.0,
        metavar="DURATION",
        help="how long to wait for a backup's last segment, as 2m (default: not at all)",
    )
    how.add_argument(
        "--try-restore-command",
        action="store_true",
        help="run the backup's restore_command, as this user, into a temporary directory",
    )
    how.add_argument(
        "--try-timeout",
        type=entry.duration,
        metavar="DURATION",
        help="how long it may take for one file (default: 1m)",
    )


def _body(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    complete_sources(arguments)
    question = _question(arguments)
    from agent.postgres.interruption import Interruption

    try:
        with Interruption(once=True):  # a SIGTERM ends in a document too
            report = _check(arguments, question)
    except entry.UsageError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        # Programs get their document whatever happens; the line for a person follows on stderr.
        if arguments.format != "text":
            from agent.check.run import report_failure

            failed = report_failure(question, str(error) or "interrupted")
            print(_render(failed, arguments, argv))
        raise
    print(_render(report, arguments, argv))
    return report.verdict.status


def complete_sources(arguments: argparse.Namespace) -> None:
    """Fill in the archives and backups of a configured cluster, and refuse an empty question."""
    if arguments.cluster and not arguments.config:
        raise entry.UsageError("--cluster needs --config FILE")
    if arguments.config:
        _take_from_config(arguments)
    if (
        not any((arguments.archives, arguments.elsewhere, arguments.backups))
        and arguments.backups_below is None
    ):
        raise entry.UsageError(
            "nothing to look at: name an --archive and a --backup (type  pitr-check --help)"
        )
    for name in ("archives", "elsewhere", "backups"):
        paths = [_path(url) for url in getattr(arguments, name)]
        setattr(arguments, name, list({os.path.normpath(path): path for path in paths}.values()))
    if arguments.backups_below is not None:
        arguments.backups_below = _path(arguments.backups_below)
    cost.check(arguments)


def _path(url: str) -> str:
    path = url.removeprefix("file://")
    if not path:  # an unset variable in a script: "" would be the working directory
        raise entry.UsageError("an --archive, --wal, --backup or --backups is empty: name it")
    if "://" in path:
        raise entry.UsageError(f"{url}: only directories are read so far (a path, or file:///path)")
    return path


def _take_from_config(arguments: argparse.Namespace) -> None:
    from agent.config_file import ConfigError, load_config

    try:
        config = load_config(arguments.config)
    except ConfigError as error:
        raise entry.UsageError(f"the configuration is wrong:\n{error}") from None
    names = [cluster.name for cluster in config.clusters]
    if arguments.cluster is None and len(names) > 1:
        raise entry.UsageError(f"which one? --cluster NAME, one of {', '.join(names)}")
    wanted = arguments.cluster or names[0]
    if wanted not in names:
        raise entry.UsageError(f"no cluster {wanted!r}: the file has {', '.join(names)}")
    cluster = config.resolved()[names.index(wanted)]
    arguments.archives = arguments.archives or [archive.url for archive in cluster.archives]
    if not arguments.backups and arguments.backups_below is None and cluster.backups:
        arguments.backups_below = cluster.backups.url
    cost.take_from(config, cluster, arguments)


def _target(arguments: argparse.Namespace) -> Target:
    from rules.target import Target

    kind, value = "none", None
    for name in _TARGETS:
        given = getattr(arguments, f"target_{name}")
        if given is not None:
            kind, value = name, given
    if arguments.target_immediate:
        kind = "immediate"
    return Target(
        type=kind,
        value=value,
        timeline=arguments.timeline,
        inclusive=not arguments.exclusive,
        action=arguments.action,
    )


def _read_goal(target: Target, arguments: argparse.Namespace) -> tuple[Goal, str]:
    """Read the target's value as the restored server would; also what had to be assumed."""
    from agent.backups.settings import find_zone
    from parsers.errors import ParseError
    from rules.goal import has_zone, read_goal

    try:
        if target.type != "time" or has_zone(target.value or ""):
            return read_goal(target, find_zone=find_zone), ""
        from agent.backups.zone import server_zone

        zone, source = server_zone(arguments.backups, arguments.backups_below)
        note = f"; the time was given without a zone and read as {zone.key} ({source})"
        return read_goal(target, zone=zone, find_zone=find_zone), note
    except ParseError as error:
        raise entry.UsageError(error.message) from None


def _question(arguments: argparse.Namespace) -> Question:
    from rules.report import Question

    target = _target(arguments)
    goal, note = _read_goal(target, arguments)
    now = read_now(arguments.now)
    return Question(target=target, goal=goal, note=note, depth=arguments.depth, now=now)


def _check(arguments: argparse.Namespace, question: Question) -> Report:
    from agent.check.progress import progress_bar
    from agent.check.run import Sources, check

    sources = Sources(
        archives=arguments.archives,
        elsewhere=arguments.elsewhere,
        backups=arguments.backups,
        backups_below=arguments.backups_below,
        depth=arguments.depth,
        backup_depth=arguments.backup_depth,
        reading=cost.reading(arguments),
        on_this_machine=not arguments.other_machine,
    )
    drill = drill_asked_for(arguments, question.target.type)
    with progress_bar(shown=arguments.format == "text") as on_progress:
        return check(
            question,
            sources,
            wait_seconds=arguments.wait,
            on_progress=on_progress,
            try_seconds=_try_seconds(arguments),
            drill=drill,
        )


def _try_seconds(arguments: argparse.Namespace) -> float | None:
    """How long the restore_command gets; None: it is not to be tried."""
    given: float | None = arguments.try_timeout
    if arguments.try_restore_command:
        return _TRY_SECONDS if given is None else given
    if given is not None:
        raise entry.UsageError("--try-timeout is for --try-restore-command: add it")
    return None


def read_now(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    return entry.instant("--now", text)


def _render(report: Report, arguments: argparse.Namespace, argv: Sequence[str]) -> str:
    if arguments.format == "json":
        from agent.check.render_json import render_json

        return render_json(report)
    if arguments.format == "nagios":
        from agent.check.render_nagios import render_nagios

        return render_nagios(report)
    if arguments.format == "prometheus":
        from agent.check.render_prometheus import render_prometheus

        return render_prometheus(report, arguments.cluster or "")
    if arguments.format == "html":
        from agent.check.render_html import render_html

        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")  # as the document says of itself
        return render_html(report, argv)
    from agent.check.render_text import render_text

    return render_text(report)
