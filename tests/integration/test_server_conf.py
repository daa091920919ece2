"""Settings files, beside what a real server reads in them (pg_file_settings)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.postgres.installation import Installation
from parsers.errors import ParseError
from parsers.files.server_conf import (
    FileSetting,
    Include,
    effective_settings,
    parse_server_conf,
    resolve_includes,
)
from tests.fix_postgres import NewCluster

# One a line: what the server makes of it is asked from the server, not written here.
LINES = r"""
app.plain = value
app.spaced    value
app.tab	=	value
app.joined=value
    app.indented = value
	app.tab_before = 'value' # why
App.Case = Value
app.quoted = 'two words'
app.empty = ''
app.double = 'it''s'
app.backslash = 'it\'s'
app.escapes = 'a\tb\nc\\d\x\b'
app.octal = '\101\60\7'
app.comment = value # not this
app.joined_comment = 'value'#nor this
app.hash = 'a#b'
app.path = /var/lib
app.bare = a-b.c:d/e
app.qualified = b.c
app.three = a.b.c
app.integer = 5432
app.negative = -1
app.plus = +1
app.hex = 0x1F
app.unit = 64MB
app.real = 1.5
app.real_exponent = 1.5e-3
app.point = .5
app.trailing_point = 5.
app.exponent_only = 1e5
app.real_unit = 1.5GB
app.space_unit = 64 MB
app.comma = a, b
app.two = on off
app.unfinished = 'no end
app.no_value
app.no_value_equals =
= value
app.double_equals == value
app.chain = a=b
3app.digit = value
app.-dash = value
app-dash.x = value
app.x-1
app.under_score1 = v_1
app.ñandú = 'señal'
app.unicode = ñandú
app.adjacent='a''b' 'c'
app.quoted_after 'value'
app.number_then_word = 12abc3
app.colon:x = 1
app.semicolon = a;b
app.cr = value
app.percent = 50%
app.dollar = $HOME
app.minus = -
app.quoted_hash = '#'   # '
'app.quoted_name' = value
""".replace("app.cr = value", " \r\t app.cr = value\r").strip("\n")


def read_each(lines: list[str]) -> Iterator[tuple[str, str | None, str | None]]:
    """(line, name, value), or (line, None, None) for a syntax error."""
    for line in lines:
        try:
            for statement in parse_server_conf(line):
                assert isinstance(statement, FileSetting)
                yield line, statement.name, statement.value
        except ParseError:
            yield line, None, None


def test_each_line_reads_as_the_server_reads_it(pg: Installation, new_cluster: NewCluster) -> None:
    """The server gives up a file at its first error, so each line is a file."""
    cluster = new_cluster(pg, archive=False)
    directory = cluster.account.make_directory(cluster.data / "lines")
    lines = LINES.split("\n")
    with (cluster.data / "postgresql.conf").open("a") as main:
        for number, line in enumerate(lines):
            path = directory / f"{number:03}.conf"
            path.write_text(line)
            cluster.account.own(path)
            main.write(f"include 'lines/{path.name}'\n")
    rows = cluster.sql(
        "SELECT regexp_replace(sourcefile, '.*/([0-9]+).conf', '\\1')::int, lower(name), setting"
        " FROM pg_file_settings WHERE sourcefile LIKE '%%/lines/%%' ORDER BY seqno"
    )
    theirs = [(lines[number], name, value) for number, name, value in rows]
    assert list(read_each(lines)) == theirs
    assert sum(name is None for _, name, _ in theirs) > 10


def test_includes_and_the_last_one_wins(pg: Installation, new_cluster: NewCluster) -> None:
    cluster = new_cluster(pg, archive=False)
    files = {
        "a.conf": "work_mem = 1MB\ninclude 'sub/b.conf'\ninclude_if_exists 'absent.conf'\n",
        "sub/b.conf": "work_mem = 2MB\ninclude '../d/../c.conf'\nport = 5433\n",
        "c.conf": "Work_Mem = '3MB'\n",
        "d/2.conf": "port = 5435\n",
        "d/1.conf": "port = 5434\nmaintenance_work_mem = 7MB\n",
        "d/.hidden.conf": "port = 1\n",
        "d/other.txt": "port = 2\n",
    }
    for name, text in files.items():
        path = cluster.data / name
        cluster.account.make_directory(path.parent)
        path.write_text(text)
        cluster.account.own(path)
    cluster.configure(include="a.conf", INCLUDE_DIR="d", work_mem="4MB")

    def load(include: Include) -> Iterator[tuple[str, str]]:
        path = Path(include.file).parent / include.path
        names = sorted(path.glob("[!.]*.conf")) if include.directive == "include_dir" else [path]
        if include.directive == "include_if_exists" and not path.exists():
            return
        for name in names:
            yield str(name), name.read_text()

    main, auto = (cluster.data / name for name in ("postgresql.conf", "postgresql.auto.conf"))
    ours = [
        setting
        for path in (main, auto)
        for setting in resolve_includes(parse_server_conf(path.read_text(), str(path)), load)
    ]
    theirs = cluster.sql("SELECT lower(name), setting FROM pg_file_settings ORDER BY seqno")
    assert [(setting.name, setting.value) for setting in ours] == theirs
    applied = dict(
        cluster.sql("SELECT lower(name), setting FROM pg_file_settings s WHERE seqno ="
                    " (SELECT max(seqno) FROM pg_file_settings WHERE lower(name) = lower(s.name))")
    )  # fmt: skip
    assert {name: one.value for name, one in effective_settings(ours).items()} == applied
    assert applied["work_mem"] == "4MB" and applied["port"] == "5435"


def test_files_that_include_themselves_are_refused() -> None:
    endless = parse_server_conf("include 'again.conf'")
    with pytest.raises(ParseError, match="nesting depth"):
        list(resolve_includes(endless, lambda _: [("again.conf", "include 'again.conf'")]))
