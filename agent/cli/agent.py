"""`pitr-agent`: the scheduled agent (`run`) and the check of its configuration."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from agent.cli import agent_help, entry
from agent.cli.completion import PROGRAMS, SHELLS, render_completion
from agent.documents.render import render_text
from agent.errors import OK, CannotCheck, UsageError
from agent.language import say, say_constant
from agent.logs import FORMATS, LEVELS, configure_logging
from parsers.sentences import indented, tr
from rules.model.counted import counted

if TYPE_CHECKING:
    from agent.config.model import Config

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

_TO_TRY = "type  pitr-agent check-config --try  as the agent's account to read each source once"


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the command."""
    return entry.run("pitr-agent", _body, argv)


def _body(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    status: int = arguments.command(arguments)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = entry.Parser(prog="pitr-agent", **agent_help.PROGRAM)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    _add_check_config(commands)
    _add_rules(commands)
    _add_docs(commands)
    _add_completion(commands)
    _add_new_evidence_key(commands)
    fetch = commands.add_parser(
        "fetch-wal", add_help=False, help="a restore_command for archives that cp cannot read"
    )
    fetch.add_argument("rest", nargs=argparse.REMAINDER)
    fetch.set_defaults(command=_fetch_wal)
    _add(commands, "drill-unit", _drill_unit, agent_help.DRILL_UNIT)
    return parser


def _add(
    commands: Commands, name: str, command: Callable[[argparse.Namespace], int], texts: Any
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, **texts)
    parser.set_defaults(command=command)
    return parser


def _add_check_config(commands: Commands) -> None:
    check = _add(commands, "check-config", _check_config, agent_help.CHECK_CONFIG)
    check.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="configuration file"
    )
    check.add_argument(
        "--try",
        dest="tries",
        action="store_true",
        help="connect to each server, list and read each source once, and say what to type",
    )


def _add_rules(commands: Commands) -> None:
    rules = _add(commands, "rules", _rules, agent_help.RULES)
    rules.add_argument(
        "--runbooks-url",
        default="docs/runbooks",
        metavar="URL",
        help="prefix of the alerts' runbook_url (default: %(default)s)",
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
        help="how long a finding must last before it alerts, as 1m (default: set by each check)",
    )

    rules.add_argument(
        "--for",
        dest="source",
        choices=("agent", "textfile"),
        default="agent",
        help="where the metrics come from: the agent, or pitr-check --format prometheus by way of "
        "node_exporter's textfiles (default: %(default)s)",
    )
    rules.add_argument(
        "--stale-after",
        type=entry.duration,
        metavar="DURATION",
        help="with --for textfile: the age at which a verdict alerts (default: 26h)",
    )


def _add_docs(commands: Commands) -> None:
    docs = _add(commands, "docs", _docs, agent_help.DOCS)
    docs.add_argument(
        "directory", type=Path, metavar="DIR", help="where to write: DIR/runbooks, ..."
    )


def _add_completion(commands: Commands) -> None:
    completion = _add(commands, "completion", _completion, agent_help.COMPLETION)
    completion.add_argument("shell", choices=SHELLS, help="shell to complete for")
    completion.add_argument(
        "program",
        choices=tuple(PROGRAMS),
        nargs="?",
        default="pitr-agent",
        help="program to complete (default: %(default)s)",
    )


def _add_new_evidence_key(commands: Commands) -> None:
    key = _add(commands, "new-evidence-key", _new_evidence_key, agent_help.NEW_EVIDENCE_KEY)
    key.add_argument("file", type=Path, metavar="FILE", help="where the private key goes")


def _add_run(commands: Commands) -> None:
    run = _add(commands, "run", _run, agent_help.RUN)
    run.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="configuration file (YAML)"
    )
    run.add_argument(
        "--web.listen-address",
        dest="listen_address",
        default="127.0.0.1:9870",
        metavar="HOST:PORT",
        help="address to listen on (default: %(default)s)",
    )
    run.add_argument(
        "--web.telemetry-path",
        dest="telemetry_path",
        default="/metrics",
        metavar="PATH",
        help="path of the metrics (default: %(default)s)",
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
        help="minimum level to log (default: %(default)s)",
    )
    run.add_argument(
        "--log.format",
        dest="log_format",
        default="logfmt",
        choices=FORMATS,
        help="format of the log (default: %(default)s)",
    )


def _completion(arguments: argparse.Namespace) -> int:
    print(render_completion(arguments.program, arguments.shell))
    return OK


def _drill_unit(arguments: argparse.Namespace) -> int:
    from agent.cli.drill_unit import run

    return run()


def _fetch_wal(arguments: argparse.Namespace) -> int:
    """Reached only from here; the command itself goes the short way, see agent.cli.start."""
    from agent.cli import fetch_wal

    return fetch_wal.main(arguments.rest)


def _run(arguments: argparse.Namespace) -> int:
    import asyncio

    from agent.config.file import load_config
    from agent.config.fleet import with_fleets
    from agent.daemon.service import Service
    from agent.web.config import load_web_config

    config = _load(load_config, arguments.config)
    web = _load(load_web_config, arguments.web_config)
    _check_web_options(arguments)
    configure_logging(arguments.log_level, arguments.log_format)
    service = Service(
        with_fleets(config),
        lambda: (with_fleets(load_config(arguments.config)), load_web_config(arguments.web_config)),
        web,
        listen_address=arguments.listen_address,
        telemetry_path=arguments.telemetry_path,
    )
    try:
        asyncio.run(service.run(_say_where(arguments.telemetry_path)))
    except OSError as error:
        raise CannotCheck(
            tr(
                "cannot listen on {address}: {reason}: choose another --web.listen-address",
                address=arguments.listen_address,
                reason=error.strerror or error,
            )
        ) from None
    return OK


def _check_web_options(arguments: argparse.Namespace) -> None:
    address, path = arguments.listen_address, arguments.telemetry_path
    port = address.rpartition(":")[2]
    if not re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:\s]*):\d{1,5}", address) or int(port) > 65535:
        raise UsageError(
            tr(
                "--web.listen-address {address!r}: write HOST:PORT, as 127.0.0.1:9870",
                address=address,
            )
        )
    if not re.fullmatch(r"(/[\w.~-]+)+", path) or path.startswith(_TAKEN_PATHS):
        raise UsageError(
            tr(
                "--web.telemetry-path {path!r}: write a path of its own, as /metrics "
                "({taken} are taken)",
                path=path,
                taken=", ".join(_TAKEN_PATHS),
            )
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
        raise CannotCheck(f"{error.filename}: {error.strerror}") from None
    return OK


def _new_evidence_key(arguments: argparse.Namespace) -> int:
    from agent.evidence.keys import make_key, public_of

    try:
        key = make_key(arguments.file)
    except OSError as error:
        raise UsageError(f"{error.filename or arguments.file}: {error.strerror}") from None
    text = tr(
        "private key: {file} (who has it can sign: keep it where statements are made)\n"
        "public key:  {public} (give it to whoever verifies)\n"
        "key id:      {key}",
        file=arguments.file,
        public=public_of(arguments.file),
        key=key,
    )
    print(say(text))
    return OK


def _check_config(arguments: argparse.Namespace) -> int:
    """0 for a file that is right, whatever there is of what it names: it may be mounted later."""
    from agent.config.file import load_config
    from agent.try_config.run import absent_places

    config = _load(load_config, arguments.config)
    names = ", ".join(cluster.name for cluster in config.clusters)
    count = counted(len(config.clusters), "cluster")
    which = tr("{count}: {names}", count=count, names=names)
    if arguments.tries:
        print(f"{arguments.config}: {say(which)}")
        return _try_config(config)
    absent = list(absent_places(config))
    told = tr("well written, but not all of it is there") if absent else tr("valid")
    print(say(tr("{config}: {told}: {which}", config=arguments.config, told=told, which=which)))
    if absent:
        print(render_text(map(indented, absent)))
        print(say_constant(_TO_TRY))
    return OK


def _try_config(config: Config) -> int:
    from agent.errors import UNKNOWN
    from agent.try_config.run import tried_lines, try_config

    before, works = None, True
    for cluster, tried in try_config(config):
        if cluster != before:
            print(cluster or say(tr("the agent")))
        before, works = cluster, works and tried.works
        print(render_text(tried_lines(tried)), flush=True)
    return OK if works else UNKNOWN


def _rules(arguments: argparse.Namespace) -> int:
    import yaml

    from agent.language import ENGLISH, say, spoken
    from parsers.sentences import Sentence
    from rules.alerting import prometheus_rules
    from rules.alerting.links import AlertLinks
    from rules.verdict.check import load_catalogue

    links = AlertLinks(
        runbooks_url=arguments.runbooks_url.rstrip("/"),
        grafana_url=arguments.grafana_url.rstrip("/"),
    )
    checks, hold, stale = load_catalogue().values(), arguments.hold, arguments.stale_after
    if arguments.source == "textfile":
        document = prometheus_rules.render_textfile_rules(
            checks,
            links,
            hold_seconds=hold,
            stale_seconds=prometheus_rules.STALE_SECONDS if stale is None else stale,
        )
    elif stale is not None:
        raise UsageError(
            tr("--stale-after is for --for textfile: an agent says itself when it is late")
        )
    else:
        document = prometheus_rules.render_rules(checks, links, hold_seconds=hold)
    made_by = "pitr-agent rules" + " --for textfile" * (arguments.source == "textfile")
    print(f"# Made from rules/catalogue/ by: {made_by}")
    yaml.SafeDumper.add_representer(Sentence, lambda made, text: made.represent_str(say(text)))
    accents = spoken() != ENGLISH  # English escapes its few signs, as it always did
    print(yaml.safe_dump(document, sort_keys=False, width=120, allow_unicode=accents), end="")
    return OK


def _load(load: Callable[[P], T], path: P) -> T:
    from agent.config.file import ConfigError

    try:
        return load(path)
    except ConfigError as error:
        raise UsageError(tr("the configuration is wrong:\n{error}", error=error)) from None
