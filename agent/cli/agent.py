"""`pitr-agent`: the scheduled agent (`run`) and the check of its configuration."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

from agent import __version__
from agent.cli import agent_help, entry
from agent.cli.completion import PROGRAMS, SHELLS, render_completion
from agent.logs import FORMATS, LEVELS, configure_logging

P = TypeVar("P")
T = TypeVar("T")
Commands: TypeAlias = "argparse._SubParsersAction[entry.Parser]"

_TAKEN_PATHS = (
    "/healthz",
    "/readyz",
    "/api",
    "/openapi.json",
    "/clusters",
    "/static",
    "/findings",
    "/runbooks",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the command."""
    return entry.run("pitr-agent", _body, argv)


def _body(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    status: int = arguments.command(arguments)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = entry.Parser(
        prog="pitr-agent", description=agent_help.DESCRIPTION, epilog=agent_help.EPILOG
    )
    parser.add_argument("--version", action="version", version=f"pitr-agent {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(
        commands.add_parser(
            "run",
            help="poll and serve until SIGTERM",
            description=agent_help.RUN,
            epilog=agent_help.RUN_EXAMPLES,
        )
    )
    _add_check_config(commands)
    _add_rules(commands)
    _add_docs(commands)
    _add_completion(commands)
    fetch = commands.add_parser(
        "fetch-wal", add_help=False, help="a restore_command for archives that cp cannot read"
    )
    fetch.add_argument("rest", nargs=argparse.REMAINDER)
    fetch.set_defaults(command=_fetch_wal)
    return parser


def _add_check_config(commands: Commands) -> None:
    check = commands.add_parser(
        "check-config",
        help="say what is wrong with a configuration",
        description=agent_help.CHECK_CONFIG,
        epilog=agent_help.CHECK_CONFIG_EXAMPLES,
    )
    check.set_defaults(command=_check_config)
    check.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="the configuration to read"
    )


def _add_rules(commands: Commands) -> None:
    rules = commands.add_parser(
        "rules",
        help="print the alerting rules for Prometheus",
        description=agent_help.RULES,
        epilog=agent_help.RULES_EXAMPLES,
    )
    rules.set_defaults(command=_rules)
    rules.add_argument(
        "--runbooks-url",
        default="docs/runbooks",
        metavar="URL",
        help="what the alerts' runbook_url begins with (default: %(default)s)",
    )
    rules.add_argument(
        "--grafana-url",
        default="",
        metavar="URL",
        help="Grafana's address, for the alerts' dashboard_url (default: the path alone)",
    )
    rules.add_argument(
        "--hold",
        type=entry.duration,
        metavar="DURATION",
        help="how long a finding must hold, as 1m (default: as long as each check wants)",
    )


def _add_docs(commands: Commands) -> None:
    docs = commands.add_parser(
        "docs",
        help="write the pages on findings, alerts and metrics",
        description=agent_help.DOCS,
        epilog=agent_help.DOCS_EXAMPLES,
    )
    docs.set_defaults(command=_docs)
    docs.add_argument("directory", type=Path, metavar="DIR", help="where to: DIR/runbooks, ...")


def _add_completion(commands: Commands) -> None:
    completion = commands.add_parser(
        "completion",
        help="print a shell's completion of a program",
        description=agent_help.COMPLETION,
        epilog=agent_help.COMPLETION_EXAMPLES,
    )
    completion.set_defaults(command=_completion)
    completion.add_argument("shell", choices=SHELLS, help="whose completion")
    completion.add_argument(
        "program",
        choices=tuple(PROGRAMS),
        nargs="?",
        default="pitr-agent",
        help="of which program (default: %(default)s)",
    )


def _add_run(run: argparse.ArgumentParser) -> None:
    run.set_defaults(command=_run)
    run.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="what to watch; YAML"
    )
    run.add_argument(
        "--web.listen-address",
        dest="listen_address",
        default="127.0.0.1:9870",
        metavar="HOST:PORT",
        help="where to serve; loopback unless told (default: %(default)s)",
    )
    run.add_argument(
        "--web.telemetry-path",
        dest="telemetry_path",
        default="/metrics",
        metavar="PATH",
        help="where the metrics are (default: %(default)s)",
    )
    run.add_argument(
        "--web.config.file",
        dest="web_config",
        type=Path,
        metavar="FILE",
        help="TLS and basic authentication, in the format of the Prometheus exporter toolkit",
    )
    run.add_argument(
        "--log.level",
        dest="log_level",
        default="info",
        choices=LEVELS,
        help="the least that is logged (default: %(default)s)",
    )
    run.add_argument(
        "--log.format",
        dest="log_format",
        default="logfmt",
        choices=FORMATS,
        help="how (default: %(default)s)",
    )


def _completion(arguments: argparse.Namespace) -> int:
    print(render_completion(arguments.program, arguments.shell))
    return entry.OK


def _fetch_wal(arguments: argparse.Namespace) -> int:
    """Reached only from here; the command itself goes the short way, see agent.cli.start."""
    from agent.cli import fetch_wal

    return fetch_wal.main(arguments.rest)


def _run(arguments: argparse.Namespace) -> int:
    from agent.config_file import load_config
    from agent.service import Service
    from agent.web.config import load_web_config

    config = _load(load_config, arguments.config)
    web = _load(load_web_config, arguments.web_config)
    _check_web_options(arguments)
    configure_logging(arguments.log_level, arguments.log_format)
    service = Service(
        config,
        lambda: (load_config(arguments.config), load_web_config(arguments.web_config)),
        web,
        listen_address=arguments.listen_address,
        telemetry_path=arguments.telemetry_path,
    )
    try:
        asyncio.run(service.run(_say_where(arguments.telemetry_path)))
    except OSError as error:
        raise entry.CannotCheck(
            f"cannot listen on {arguments.listen_address}: {error.strerror or error}: "
            "choose another --web.listen-address"
        ) from None
    return entry.OK


def _check_web_options(arguments: argparse.Namespace) -> None:
    address, path = arguments.listen_address, arguments.telemetry_path
    port = address.rpartition(":")[2]
    if not re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:\s]*):\d{1,5}", address) or int(port) > 65535:
        raise entry.UsageError(
            f"--web.listen-address {address!r}: write HOST:PORT, as 127.0.0.1:9870"
        )
    if not re.fullmatch(r"(/[\w.~-]+)+", path) or path.startswith(_TAKEN_PATHS):
        raise entry.UsageError(
            f"--web.telemetry-path {path!r}: write a path of its own, as /metrics "
            f"({', '.join(_TAKEN_PATHS)} are taken)"
        )


def _say_where(telemetry_path: str) -> Callable[[str], None]:
    def say(url: str) -> None:
        print(f"pitr-agent: serving {url}{telemetry_path}", file=sys.stderr, flush=True)

    return say


def _docs(arguments: argparse.Namespace) -> int:
    from agent.reference import write_reference

    try:
        write_reference(arguments.directory)
    except OSError as error:
        raise entry.CannotCheck(f"{error.filename}: {error.strerror}") from None
    return entry.OK


def _check_config(arguments: argparse.Namespace) -> int:
    from agent.config_file import load_config

    config = _load(load_config, arguments.config)
    names = ", ".join(cluster.name for cluster in config.clusters)
    print(f"{arguments.config}: valid: {len(config.clusters)} cluster(s): {names}")
    return entry.OK


def _rules(arguments: argparse.Namespace) -> int:
    import yaml

    from rules.alert_links import AlertLinks
    from rules.check import load_catalogue
    from rules.prometheus_rules import render_rules

    links = AlertLinks(
        runbooks_url=arguments.runbooks_url.rstrip("/"),
        grafana_url=arguments.grafana_url.rstrip("/"),
    )
    document = render_rules(load_catalogue().values(), links, hold_seconds=arguments.hold)
    print("# Made from rules/catalogue/ by: pitr-agent rules")
    print(yaml.safe_dump(document, sort_keys=False, width=120), end="")
    return entry.OK


def _load(load: Callable[[P], T], path: P) -> T:
    from agent.config_file import ConfigError

    try:
        return load(path)
    except ConfigError as error:
        raise entry.UsageError(f"the configuration is wrong:\n{error}") from None
