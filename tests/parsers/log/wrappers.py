"""One log inside of what people and their tools put around it, or do to it."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

STAMP: Final = "2026-11-28T14:21:23.060123456Z"
_COLUMNS: Final = (
    "log_time", "user_name", "database_name", "process_id", "connection_from", "session_id",
    "session_line_num", "command_tag", "session_start_time", "virtual_transaction_id",
    "transaction_id", "error_severity", "sql_state_code", "message", "detail", "hint",
    "internal_query", "internal_query_pos", "context", "query", "query_pos", "location",
    "application_name", "backend_type", "leader_pid", "query_id",
)  # fmt: skip


def each(wrap: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: "".join(wrap(line) + "\n" for line in text.splitlines())


def cloudnative_pg(table: str, indent: int | None = None) -> str:
    """csvlog as the operator's instance manager prints it, with lines of its own between."""
    documents: list[dict[str, Any]] = [{"level": "info", "msg": "Starting up", "logger": "pg"}]
    for row in csv.reader(io.StringIO(table)):
        fields = {name: value for name, value in zip(_COLUMNS, row, strict=True) if value}
        documents.append({
            "level": "info", "ts": STAMP, "logger": "postgres", "msg": "record",
            "logging_pod": "app-1", "record": fields,
        })  # fmt: skip
    separators = None if indent else (",", ":")
    return "".join(
        json.dumps(each, indent=indent, separators=separators) + "\n" for each in documents
    )


def respaced(text: str, *, indent: int | None = None, reverse: bool = False) -> str:
    """jsonlog as another program writes it again."""
    documents = [json.loads(line) for line in text.splitlines()]
    if reverse:
        documents = [dict(reversed(each.items())) for each in documents]
    return "".join(json.dumps(each, indent=indent) + "\n" for each in documents)


def _docker(line: str) -> str:
    return json.dumps({"log": f"{line}\n", "stream": "stderr", "time": STAMP})


def _journal(line: str) -> str:
    entry = {"__REALTIME_TIMESTAMP": "1795875683060123", "_PID": "123", "PRIORITY": "6"}
    return json.dumps(entry | {"SYSLOG_IDENTIFIER": "postgres", "MESSAGE": line})


def _journal_bytes(line: str) -> str:
    return _journal(line).replace(json.dumps(line), json.dumps(list(line.encode())))


def _gcp(lines: Iterable[str]) -> list[dict[str, Any]]:
    labels = {"type": "cloudsql_database", "labels": {"database_id": "p:db"}}
    return [
        {"insertId": str(at), "resource": labels, "textPayload": line, "timestamp": STAMP}
        for at, line in enumerate(lines)
    ]


def _table(lines: Iterable[str], *, first: bool = False) -> str:
    table = io.StringIO()
    writer = csv.writer(table, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for line in ("message", *lines):
        writer.writerow((line, STAMP, "db1") if first else (STAMP, "db1", line))
    return table.getvalue()


def with_a_bad_line(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join([lines[0], lines[1][: len(lines[1]) // 2] + "\n", *lines[1:]])


OF_TEXT: Final[dict[str, Callable[[str], str]]] = {
    "kubectl --prefix": each(lambda line: f"[pod/app-1/postgres] {line}"),
    "kubectl --timestamps": each(lambda line: f"{STAMP} {line}"),
    "kubectl, both": each(lambda line: f"[pod/app-1/postgres] {STAMP} {line}"),
    "CRI": each(lambda line: f"{STAMP} stderr F {line}"),
    "CRI, in parts": each(lambda line: f"{STAMP} stderr P {line[:9]}\n{STAMP} stderr F {line[9:]}"),
    "compose": each(lambda line: f"db-1  | {line}"),
    "docker": each(_docker),
    "docker through jq": lambda text: respaced(each(_docker)(text), indent=2),
    "docker, broken lines": lambda text: each(_docker)(text).replace('", "', '",\n  "'),
    "docker of kubectl": each(lambda line: _docker(f"[pod/app-1/postgres] {line}")),
    "journal json": each(_journal),
    "journal json, bytes": each(_journal_bytes),
    "journal short": each(lambda line: f"Nov 28 14:21:23 db1 postgres[123]: {line}"),
    "journal short-precise": each(lambda line: f"Nov 28 14:21:23.060123 db1 postgres[123]: {line}"),
    "journal short-iso": each(lambda line: f"2026-11-28T14:21:23+0000 db1 postgres[123]: {line}"),
    "journal short-full": each(
        lambda line: f"Sat 2026-11-28 14:21:23 UTC db1 postgres[123]: {line}"
    ),
    "journal short-monotonic": each(lambda line: f"[ 5173.060123] db1 postgres[123]: {line}"),
    "journal short-unix": each(lambda line: f"1795875683.060123 db1 postgres[123]: {line}"),
    "GCP": lambda text: json.dumps(_gcp(text.splitlines()), indent=2) + "\n",
    "GCP, lines": lambda text: "".join(
        json.dumps(entry) + "\n" for entry in _gcp(text.splitlines())
    ),
    "CloudWatch": lambda text: json.dumps(
        {"events": [{"timestamp": 1, "message": line} for line in text.splitlines()]}, indent=4
    ),
    "fluent-bit": each(lambda line: json.dumps({"log": line, "kubernetes": {"pod_name": "a"}})),
    "another shipper": each(lambda line: json.dumps({"host": "db1", "data": {"payload": line}})),
    "Kibana": lambda text: _table(text.splitlines()),
    "Kibana, message first": lambda text: _table(text.splitlines(), first=True),
    "a page": lambda text: f"<pre>\n{html.escape(text)}</pre>\n",
    "trailing blanks": each(lambda line: f"{line}  "),
    "no-break trailing blank": each(lambda line: f"{line}\u00a0"),
    "collapsed blanks": lambda text: re.sub(r" {2,}", " ", text),
    "no-break blanks": lambda text: text.replace("  ", " \u00a0"),
    "only no-break blanks": lambda text: text.replace(" ", "\u00a0"),
    "colours": lambda text: re.sub(r"(LOG|FATAL)(:)", "\x1b[1;31m\\1\x1b[0m\\2", text),
    "colour of each line": each(lambda line: f"\x1b[32m{line}\x1b[0m"),
    "HTML": lambda text: html.escape(text),
    "HTML without tabs": lambda text: html.escape(text).replace("  ", "&nbsp; "),
    "curly quotes": lambda text: re.sub(
        r'"([^"]*)"', "\u201c\\1\u201d", text.replace("'", "\u2019")
    ),
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "byte order mark": lambda text: f"\ufeff{text}",
    "indented": each(lambda line: f"    {line}"),
    "quoted": each(lambda line: f"> {line}"),
}  # fmt: skip
# What is kept before each line: a command's own name is lost in it.
TEXT_BEFORE: Final[dict[str, Callable[[str], str]]] = {
    "grep -n": lambda text: "".join(
        f"{number}:{line}" for number, line in enumerate(text.splitlines(keepends=True), 1)
    ),
    "grep of files": each(lambda line: f"server.log:{line}"),
    "logcli": each(lambda line: f'{STAMP} {{app="pg"}} {line}'),
    "aws logs tail": each(
        lambda line: f"2026-11-28T14:21:23.060000+00:00 postgresql.log.2026-11-28-14 {line}"
    ),
    "a diff": each(lambda line: f"+{line}"),
}  # fmt: skip
OF_CSV: Final[dict[str, Callable[[str], str]]] = {
    "CloudNativePG": cloudnative_pg,
    "CloudNativePG through jq": lambda text: cloudnative_pg(text, indent=2),
    "kubectl --prefix": lambda text: each(lambda line: f"[pod/app-1/pg] {line}")(
        cloudnative_pg(text)
    ),
    "kubectl --prefix, pretty": lambda text: each(lambda line: f"[pod/app-1/pg] {line}")(
        cloudnative_pg(text, indent=2)
    ),
    "stern": lambda text: each(lambda line: f"app-1 full-recovery {line}")(cloudnative_pg(text)),
    "CRI": lambda text: each(lambda line: f"{STAMP} stdout F {line}")(cloudnative_pg(text)),
    "docker": lambda text: each(_docker)(cloudnative_pg(text)),
    "GCP jsonPayload": lambda text: "".join(
        json.dumps({"jsonPayload": json.loads(line), "timestamp": STAMP}) + "\n"
        for line in cloudnative_pg(text).splitlines()
    ),
    "a bad line": lambda text: with_a_bad_line(cloudnative_pg(text)),
}  # fmt: skip
OF_JSON: Final[dict[str, Callable[[str], str]]] = {
    "respaced": respaced,
    "other order": lambda text: respaced(text, reverse=True),
    "jq": lambda text: respaced(text, indent=2),
    "an array": lambda text: json.dumps([json.loads(each) for each in text.splitlines()]) + "\n",
    "a pretty array": lambda text: json.dumps(
        [json.loads(each) for each in text.splitlines()], indent=2
    ),
    "a bad line": with_a_bad_line,
    "a bad line, respaced": lambda text: with_a_bad_line(respaced(text)),
    "kubectl --prefix": each(lambda line: f"[pod/app-1/postgres] {line}"),
    "docker": each(_docker),
    "journal json": each(_journal),
    "colours": each(lambda line: f"\x1b[1;39m{line}\x1b[0m"),
}  # fmt: skip
