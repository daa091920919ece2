"""Which relation a transaction took away, by whatever the WAL says of the catalogs' rows."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.wal.heap_page import HeapTuple
from parsers.wal.journal import PageSeen, RowChange
from parsers.wal.pg_catalog import Catalog, ClassRow
from rules.events.catalog_rows import CatalogRows
from rules.events.relation_names import qualified_name
from tests.rules.events.catalogs import (
    DATABASE,
    PG_CLASS,
    PG_DATABASE,
    PG_NAMESPACE,
    PUBLIC,
    Catalogs,
    Spelling,
    class_row,
    named_row,
)

Told = tuple[str, str | None]  # what happened, to what


@dataclass
class Server:
    """Statements as a server writes them into its catalogs, and what they come to."""

    spell: list[Spelling] = field(default_factory=lambda: ["whole"])
    catalogs: Catalogs = field(default_factory=Catalogs)
    tables: dict[str, ClassRow] = field(default_factory=dict)
    schema: str = "public"
    xid: int = 700

    def __post_init__(self) -> None:
        self._numbers = itertools.count(16400)
        self._spelled = itertools.cycle(self.spell)
        self.catalogs.put(PG_NAMESPACE, PUBLIC, named_row(PUBLIC, "public"), 0, "whole")
        for name, kind in (("a", "r"), ("b", "r"), ("x", "i")):
            self._put_row(ClassRow(next(self._numbers), name, PUBLIC, next(self._numbers), 0, kind))
        self.catalogs.written.clear()

    def rows(self, *, load: bool = True) -> CatalogRows:
        """What is known before the WAL is followed."""
        rows = CatalogRows(major=16)
        if load:
            for relation in (PG_CLASS, PG_NAMESPACE):
                rows.load(relation, self.catalogs.loaded(relation))
        return rows

    def run(self, statements: list[str], *, commits: bool = True) -> list[Told]:
        """One transaction; what it takes away or makes, each under the name that it had."""
        self.xid += 1
        before = dict(self.tables), self.catalogs.snapshot(), self.schema
        self._made: set[int] = set()  # in this transaction, or given a file in it
        said = [told for each in statements if (told := self._do(*each.split()))]
        if not commits:
            self.tables, self.catalogs.rows, self.schema = before
            return []
        kept = {row.oid for row in self.tables.values()}
        created = {oid for _, oid, action, _ in said if action == "created"}
        return [
            (action, name)
            for _, oid, action, name in said
            if not (oid in created and (oid not in kept or action != "created"))
        ]

    def _do(self, what: str, name: str, to: str = "") -> tuple[None, int, str, str] | None:
        was, told = self.tables.get(name), f"public.{name}"
        if what == "schema":
            self.schema = name
            self._put(PG_NAMESPACE, PUBLIC, named_row(PUBLIC, name))
            return None
        if what == "create":
            if was is None:
                was = ClassRow(next(self._numbers), name, PUBLIC, next(self._numbers), 0, "r")
                self._put_row(was)
                self._made.add(was.oid)
                return None, was.oid, "created", told
            return None
        if was is None:
            return None
        if what == "drop":
            self._put(PG_CLASS, was.oid, None)
            del self.tables[name]
            return None, was.oid, "dropped", told
        if what == "rename" and to not in self.tables:
            del self.tables[name]
            self._put_row(was._replace(name=to))
        if what == "truncate" and was.oid not in self._made:  # else its file is cut, in place
            self._made.add(was.oid)
            self._put_row(was._replace(filenode=next(self._numbers)))
            return None, was.oid, "rewritten" if was.kind == "i" else "truncated", told
        if what == "rewrite" and was.kind == "r":
            new = ClassRow(next(self._numbers), f"pg_temp_{was.oid}", PUBLIC, 0, 0, "r")
            new = new._replace(filenode=next(self._numbers))
            self._put_row(new)
            self._put_row(was._replace(filenode=new.filenode))
            self._put_row(new._replace(filenode=was.filenode))
            self._put(PG_CLASS, new.oid, None)
            del self.tables[new.name]
            return None, was.oid, "rewritten", told
        return None

    def _put_row(self, row: ClassRow) -> None:
        self._put(PG_CLASS, row.oid, class_row(row))
        self.tables[row.name] = row

    def _put(self, relation, oid: int, values: bytes | None) -> None:
        self.catalogs.put(relation, oid, values, self.xid, next(self._spelled))


STATEMENTS = st.sampled_from(
    [f"{what} {name}" for what in ("create", "drop", "truncate", "rewrite") for name in "abcx"]
    + ["rename a c", "rename c a", "rename b c", "truncate a", "truncate b"]
)
TRANSACTIONS = st.lists(
    st.tuples(st.lists(STATEMENTS, min_size=1, max_size=5), st.booleans()), min_size=1, max_size=6
)
SPELLINGS = st.lists(st.sampled_from(get_args(Spelling)), min_size=1, max_size=5)


def follow(server: Server, rows: CatalogRows, *, commits: bool) -> list[Told]:
    """What the WAL of the latest transaction tells."""
    for change in server.catalogs.written:
        rows.apply(change)
    server.catalogs.written.clear()
    return [(e.action, qualified_name(e)) for e in rows.end([server.xid], committed=commits)]


@given(TRANSACTIONS, SPELLINGS)
def test_what_each_commit_did_is_told_under_the_name_that_it_had(
    transactions: list[tuple[list[str], bool]], spell: list[Spelling]
) -> None:
    server = Server(spell)
    rows = server.rows()
    for statements, commits in transactions:
        expected = server.run(statements, commits=commits)
        assert follow(server, rows, commits=commits) == expected


@given(TRANSACTIONS, SPELLINGS)
def test_without_a_backup_a_name_is_right_or_not_known(
    transactions: list[tuple[list[str], bool]], spell: list[Spelling]
) -> None:
    server = Server(spell)
    rows = server.rows(load=False)
    for statements, commits in transactions:
        run = server.run(statements, commits=commits)
        expected = {str(name).partition(".")[2] for _, name in run}
        told = {name for _, name in follow(server, rows, commits=commits) if name is not None}
        assert {name.rpartition(".")[2] for name in told} <= expected


# -- one by one -----------------------------------------------------------------------------------

ORDERS = ClassRow(16400, "orders", PUBLIC, 16401, 0, "r")


def gone(rows: CatalogRows, place: tuple[int, int], relation=PG_CLASS) -> tuple[str, str | None]:
    """What the deletion of the row at a place comes to."""
    rows.apply(RowChange(0x9000, 9, relation, "delete", place, (0, 0)))
    (event,) = rows.end([9], committed=True)
    return event.action, qualified_name(event)


@pytest.mark.parametrize("dead_first", [True, False])
@pytest.mark.parametrize("renamed", [PG_CLASS, PG_NAMESPACE])
def test_of_a_backups_rows_a_dead_one_never_names_anything(renamed, dead_first: bool) -> None:
    """A page has room again after VACUUM: the row that took another's place may lie before it."""
    old, new = class_row(ORDERS._replace(name="old")), class_row(ORDERS)
    if renamed == PG_NAMESPACE:
        old, new = named_row(PUBLIC, "old"), named_row(PUBLIC, "public")
    first, last = (1, 2) if dead_first else (2, 1)
    pair = [(0, HeapTuple(first, old, deleted=True)), (0, HeapTuple(last, new))]
    rows = CatalogRows(major=16)
    rows.load(renamed, sorted(pair, key=lambda each: each[1].offset))
    if renamed == PG_NAMESPACE:
        rows.load(PG_CLASS, [(0, HeapTuple(1, new := class_row(ORDERS)))])
        assert gone(rows, (0, 1)) == ("dropped", "public.orders")
    else:
        row = rows.row_of_file(DATABASE, ORDERS.filenode)
        assert row is not None and row.name == "orders"


def test_what_a_server_says_now_names_only_what_no_row_names() -> None:
    rows = CatalogRows(major=16)
    rows.load(PG_CLASS, [(0, HeapTuple(1, class_row(ORDERS)))])
    other = ORDERS._replace(oid=16500, filenode=16501, name="other")
    rows.name_files(DATABASE, [ORDERS._replace(name="renamed_since"), other])
    rows.name_all((DATABASE, Catalog.PG_NAMESPACE), {PUBLIC: "public"})
    rows.name_all((0, Catalog.PG_DATABASE), {DATABASE: "shop"})
    rows.name_all((0, Catalog.PG_DATABASE), {DATABASE: "later"})
    found = [rows.row_of_file(DATABASE, number) for number in (16401, 16501, 16999)]
    assert [row and row.name for row in found] == ["orders", "other", None]
    assert rows.database_name(DATABASE) == "shop"
    assert gone(rows, (0, 1)) == ("dropped", "public.orders")


def test_a_catalog_that_was_rewritten_is_known_by_its_new_file() -> None:
    moved = PG_CLASS._replace(number=20000)
    rows = CatalogRows(major=16, places={(DATABASE, 20000): Catalog.PG_CLASS})
    assert rows.files == {1259, 1262, 2615, 20000}
    assert rows.catalog_of(moved) is Catalog.PG_CLASS
    assert rows.catalog_of(moved._replace(database=5)) is None
    rows.load(moved, [(0, HeapTuple(1, class_row(ORDERS)))])
    assert gone(rows, (0, 1), moved) == ("dropped", "orders")


@pytest.mark.parametrize("major", range(13, 19))
def test_a_database_is_spoilt_from_the_mark_that_it_is_being_dropped(major: int) -> None:
    rows = CatalogRows(major=major)
    at = (0, 3)
    known = named_row(DATABASE, "shop", major=major)
    rows.load(PG_DATABASE, [(0, HeapTuple(3, known))])
    change = RowChange(0x100, 0, PG_DATABASE, "inplace", at, at, known)  # VACUUM: no mark
    rows.apply(change)
    assert rows.invalid_from == {}
    marked = named_row(DATABASE, "shop", limit=-2, major=major)
    for lsn in (0x200, 0x300):
        rows.apply(change._replace(lsn=lsn, values=marked))
    assert rows.invalid_from == {DATABASE: 0x200}
    assert rows.database_name(DATABASE) == "shop"
    assert rows.open_xids == set()


def test_the_mark_may_come_with_its_page() -> None:
    rows = CatalogRows(major=16)
    marked = HeapTuple(3, named_row(DATABASE, "shop", limit=-2))
    rows.apply(PageSeen(0x100, PG_DATABASE, 0, (marked,)))
    rows.apply(RowChange(0x100, 0, PG_DATABASE, "inplace", (0, 3), (0, 3)))
    assert rows.invalid_from == {DATABASE: 0x100}


@pytest.mark.parametrize(("commits", "expected"), [(True, "new.orders"), (False, "public.orders")])
def test_a_schemas_name_is_its_commits(commits: bool, expected: str) -> None:
    server = Server()
    server._put_row(ORDERS)
    rows = server.rows()
    server.catalogs.written.clear()
    server.run(["schema new"], commits=commits)
    follow(server, rows, commits=commits)
    server.run(["drop orders"])
    assert follow(server, rows, commits=True) == [("dropped", expected)]


def test_a_row_put_together_with_one_that_nobody_saw_is_not_known() -> None:
    rows = CatalogRows(major=16)
    update = RowChange(0x100, 8, PG_CLASS, "update", (0, 1), (0, 2), class_row(ORDERS)[9:], 9)
    rows.apply(update)
    assert rows.end([8], committed=True) == []
    assert gone(rows, (0, 2)) == ("dropped", None)


@pytest.mark.parametrize(
    ("kind", "action"),
    [("r", "truncated"), ("i", "rewritten"), ("I", "rewritten"), ("t", "rewritten")],
)
def test_a_new_file_empties_a_table_and_only_rebuilds_an_index(kind: str, action: str) -> None:
    rows = CatalogRows(major=16)
    row = ORDERS._replace(kind=kind)
    rows.load(PG_CLASS, [(0, HeapTuple(1, class_row(row)))])
    new = class_row(row._replace(filenode=16999))
    rows.apply(RowChange(0x100, 8, PG_CLASS, "update", (0, 1), (0, 2), new))
    assert [e[:3] for e in rows.end([8], committed=True)] == [(action, DATABASE, 16401)]
