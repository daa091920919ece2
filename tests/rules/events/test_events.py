"""What a person asks for of what happened, and what is said of it."""

from __future__ import annotations

import dataclasses
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.wal.facts import (
    ChecksumsChange,
    DatabaseDrop,
    FullPageWritesChange,
    LogicalDecodingChange,
    Relation,
    RelationTruncate,
    RestorePoint,
    Transaction,
)
from parsers.wal.journal import RowChange, Usage
from parsers.wal.pg_catalog import Catalog, ClassRow
from rules.events.catalog_rows import CatalogRows
from rules.events.events import find
from rules.events.path_event import PathEvent
from rules.events.relation_names import is_companion, kind_word, matcher, qualified_name
from rules.events.transactions import PathTransactions
from rules.events.wanted import WantedEvents
from tests.rules.events.catalogs import DATABASE, PG_CLASS, PUBLIC, class_row
from tests.rules.events.stories import RECORD, SIZE, Happening, chapter, commit, told

FILE = Relation(1663, DATABASE, 16401)
ORDERS = ClassRow(16400, "orders", PUBLIC, 16401, 0, "r")


def at(number: int, record: int) -> int:
    return number * SIZE + record * 0x100


def point(lsn: int, time_us: int, name: str = "p") -> RestorePoint:
    return RestorePoint(lsn, lsn + RECORD, time_us, name)


def ask(story: PathTransactions, **wanted: object) -> list[PathEvent]:
    return list(find(story, WantedEvents(**wanted)).happenings)  # type: ignore[arg-type]


@st.composite
def happenings(draw: st.DrawFn) -> list[list[Transaction | RestorePoint]]:
    """Commits, aborts and restore points of a few segments; times go back and forth."""
    pages: list[list[Transaction | RestorePoint]] = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        times = draw(st.lists(st.integers(1, 30), max_size=6))
        pages.append([
            point(at(number, n), time)
            if draw(st.integers(0, 3)) == 0
            else commit(
                at(number, n), time, draw(st.integers(700, 705)), abort=draw(st.booleans()),
                subxids=(800 + n,) if draw(st.booleans()) else (),
            )
            for n, time in enumerate(times)
        ])  # fmt: skip
    return pages


@given(
    happenings(), st.none() | st.integers(0, 31), st.none() | st.integers(0, 31),
    st.none() | st.integers(0, 31), st.none() | st.sampled_from([701, 802]), st.integers(1, 6),
)  # fmt: skip
def test_the_nearest_the_first_or_the_last_of_a_period_are_told(
    pages: list[list[Transaction | RestorePoint]], from_us, to_us, around_us, xid, limit: int
) -> None:
    story = told(*(
        chapter(number, *page[1:], crossing=page[:1]) for number, page in enumerate(pages, 1)
    ))  # fmt: skip
    found = find(
        story,
        WantedEvents(from_us=from_us, to_us=to_us, around_us=around_us, xid=xid, limit=limit),
    )
    asked = [
        each
        for page in pages
        for each in page
        if (from_us is None or each.time_us >= from_us)
        and (to_us is None or each.time_us <= to_us)
        and (xid is None or xid in (getattr(each, "xid", 0), *getattr(each, "subxids", ())))
    ]
    assert found.total == len(asked)
    told_lsns = [each.lsn for each in found.happenings]
    assert told_lsns == sorted(told_lsns) and len(told_lsns) == min(limit, len(asked))
    lsns = [each.lsn for each in asked]
    if around_us is not None:
        gaps = sorted(abs(each.time_us - around_us) for each in asked)
        near = sorted(abs((each.time_us or 0) - around_us) for each in found.happenings)
        assert near == gaps[:limit]
    elif from_us is not None:
        assert told_lsns == lsns[:limit]
    else:
        assert told_lsns == lsns[-limit:]
    named = find(story, WantedEvents(from_us=from_us, limit=limit, is_named=lambda each: True))
    assert named == find(story, WantedEvents(from_us=from_us, limit=limit))


def wrote(xid: int, records: int, size: int, first_lsn: int) -> Usage:
    """What a segment holds of one transaction."""
    columns = (array("q", [each]) for each in (records, size, first_lsn))
    return Usage(array("I", [xid]), *columns)


def test_a_happening_says_all_that_its_record_does() -> None:
    ended = commit(at(1, 2), 50, 700, subxids=(701,), gid="two")
    story = told(
        chapter(1, ended, point(at(1, 3), 60, "before"), commit(at(1, 4), 70, 9, abort=True))
    )
    story.usage = [wrote(700, 1, 10, at(1, 2)), wrote(700, 2, 20, at(1, 1)),
                   wrote(701, 4, 40, at(1, 0)), wrote(900, 9, 90, 5)]  # fmt: skip
    one, two, three = ask(story)
    assert (one.kind, one.xid, one.subxids, one.gid, one.time_us) == (
        "commit",
        700,
        (701,),
        "two",
        50,
    )
    assert (one.records, one.bytes, one.first_lsn) == (7, 70, at(1, 0))
    assert (one.segment, one.timeline, one.end_lsn) == (
        "0" * 7 + "1" + "0" * 15 + "1",
        1,
        at(1, 2) + RECORD,
    )
    assert (two.kind, two.name, two.xid, two.time_us) == ("restore_point", "before", 0, 60)
    assert (three.kind, three.records, three.takes_away) == ("abort", None, False)


@pytest.mark.parametrize(
    ("event", "kind", "state"),
    [
        *((ChecksumsChange(at(1, 2), at(1, 3), n), "data_checksums", word) for n, word in enumerate(
            ("off", "on", "being turned off", "being turned on", "4")
        )),
        (LogicalDecodingChange(at(1, 2), at(1, 3), True), "logical_decoding", "on"),
        (LogicalDecodingChange(at(1, 2), at(1, 3), False), "logical_decoding", "off"),
    ],
)  # fmt: skip
def test_a_switch_has_no_time_and_is_told_among_what_was_committed_beside_it(
    event: ChecksumsChange | LogicalDecodingChange, kind: str, state: str
) -> None:
    before, after = commit(at(1, 1), 40, 700), commit(at(1, 4), 60, 701)
    for happened, near in (((before, event, after), 40), ((event, after), 60), ((event,), None)):
        story = told(chapter(1, *happened))
        (said,) = (each for each in ask(story) if each.xid == 0)
        assert (said.kind, said.name, said.time_us) == (kind, state, None)
        if near is not None:
            assert said in ask(story, from_us=near, to_us=near)
            assert said not in ask(story, from_us=near + 1)
            assert said not in ask(story, to_us=near - 1)
    assert [each.xid for each in ask(told(chapter(1, before, event)), xid=700)] == [700]
    assert ask(told(chapter(1, FullPageWritesChange(at(1, 1), at(1, 2), False)))) == []


# -- what was taken away --------------------------------------------------------------------------


def rows_with() -> CatalogRows:
    """What a backup knows: orders, its schema, its database."""
    rows = CatalogRows(major=16)
    rows.name_all((DATABASE, Catalog.PG_NAMESPACE), {PUBLIC: "public"})
    rows.name_all((0, Catalog.PG_DATABASE), {DATABASE: "shop"})
    rows.name_files(DATABASE, [ORDERS])
    return rows


def story_of(*happened: Happening, changes: tuple[RowChange, ...] = (), rows=None):
    return told(chapter(1, *happened), changes=changes, rows=rows or rows_with())


@pytest.mark.parametrize(
    ("happened", "action"),
    [
        ((commit(at(1, 3), 5, 700, relations=(FILE,)),), "removed"),
        (
            (RelationTruncate(at(1, 2), at(1, 3), 700, FILE, 0), commit(at(1, 3), 5, 700)),
            "truncated",
        ),
        (
            (
                RelationTruncate(at(1, 2), at(1, 3), 701, FILE, 0),
                commit(at(1, 3), 5, 700, subxids=(701,), relations=()),
            ),
            "truncated",
        ),
        (
            (RelationTruncate(at(1, 2), at(1, 3), 700, FILE, 8), commit(at(1, 3), 5, 700)),
            None,
        ),  # VACUUM
        ((RelationTruncate(at(1, 2), at(1, 3), 9, FILE, 0), commit(at(1, 3), 5, 700)), None),
        ((commit(at(1, 3), 5, 700, relations=(FILE,), abort=True),), None),
    ],
)
def test_a_file_that_a_commit_takes_away_is_told_by_the_name_that_it_has(
    happened: tuple[Happening, ...], action: str | None
) -> None:
    story = story_of(*happened)
    found = ask(story, takes_away=True)
    if action is None:
        assert found == []
        return
    ((event,),) = (each.relations for each in found)
    assert found[0].takes_away
    assert (event.action, qualified_name(event), kind_word(event), is_companion(event)) == (
        action, "public.orders", "table", False,
    )  # fmt: skip
    nameless = ask(told(chapter(1, *happened)))[-1].relations[0]
    assert (qualified_name(nameless), kind_word(nameless)) == (None, "relation")


def test_what_the_rows_explain_is_not_told_twice() -> None:
    values = class_row(ORDERS)
    changes = (
        RowChange(at(1, 1), 699, PG_CLASS, "insert", (0, 0), (0, 1), values),
        RowChange(at(1, 3), 700, PG_CLASS, "delete", (0, 1), (0, 0)),
        RowChange(at(1, 9), 702, PG_CLASS, "insert", (0, 0), (0, 2), values),  # nobody ends it
    )
    story = story_of(
        commit(at(1, 2), 4, 699), commit(at(1, 4), 5, 700, relations=(FILE,)), changes=changes
    )
    made, dropped = ask(story)
    assert [event.action for event in made.relations] == ["created"] and not made.takes_away
    assert [event.action for event in dropped.relations] == ["dropped"] and dropped.takes_away
    assert ask(story, takes_away=True) == [dropped]  # also where the limit would leave it out
    assert story.rows is not None and story.rows.open_xids == {702}


@pytest.mark.parametrize("xid", [700, 701])
def test_what_was_emptied_in_an_earlier_segment_is_told_with_the_commit(xid: int) -> None:
    emptied = RelationTruncate(at(1, 2), at(1, 3), xid, FILE, 0)
    ended = commit(at(2, 3), 5, 700, subxids=(701,))
    story = told(chapter(1, emptied), chapter(2, ended), rows=rows_with())
    (happening,) = ask(story, takes_away=True)
    assert [(e.action, qualified_name(e)) for e in happening.relations] == [
        ("truncated", "public.orders")
    ]


def test_a_toast_table_alone_takes_nothing_away() -> None:
    toast = ORDERS._replace(name="pg_toast_16400", kind="t")
    rows = CatalogRows(major=16)
    rows.name_files(DATABASE, [toast])
    (happening,) = ask(story_of(commit(at(1, 3), 5, 700, relations=(FILE,)), rows=rows))
    assert is_companion(happening.relations[0]) and not happening.takes_away


def dropping(rows: CatalogRows | None, first_lsn: int | None = None) -> PathEvent:
    drop = DatabaseDrop(at(1, 4), at(1, 5), 700, DATABASE)
    story = told(chapter(1, drop, commit(at(1, 6), 5, 700)), rows=rows)
    if first_lsn is not None:
        story.usage = [wrote(700, 1, 1, first_lsn)]
    (happening,) = ask(story, takes_away=True)
    return happening


def test_a_database_is_spoilt_before_the_commit_that_drops_it() -> None:
    marked = rows_with()
    marked.invalid_from[DATABASE] = at(1, 1)
    assert (dropping(marked).database_lsn, dropping(marked).database_name) == (at(1, 1), "shop")
    assert dropping(marked, at(1, 0)).database_lsn == at(1, 0)
    assert dropping(rows_with(), at(1, 3)).database_lsn == at(1, 3)
    assert dropping(rows_with()).database_lsn == at(1, 4)
    unnamed = dropping(None)
    assert (unnamed.database, unnamed.database_name, unnamed.takes_away) == (DATABASE, None, True)


@pytest.mark.parametrize(
    ("wanted", "relation", "database"),
    [
        ("orders", True, False), ("public.orders", True, False),
        ("shop.public.orders", True, False),
        ("16400", True, False), ("16401", True, False), ("other", False, False),
        ("16402", False, False), ("private.orders", False, False),
        ("shop", False, True), (str(DATABASE), False, True),
    ],
)  # fmt: skip
def test_a_relation_is_meant_by_name_oid_or_file_and_a_database_when_it_went(
    wanted: str, relation: bool, database: bool
) -> None:
    is_it = matcher(wanted)
    (gone,) = ask(story_of(commit(at(1, 3), 5, 700, relations=(FILE,))))
    assert (is_it(gone), is_it(dropping(rows_with()))) == (relation, database)
    assert is_it(dataclasses.replace(gone, relations=())) is False
    (nameless,) = ask(told(chapter(1, commit(at(1, 3), 5, 700, relations=(FILE,)))))
    assert is_it(nameless) == (wanted == "16401")


def test_only_what_was_done_to_the_one_that_is_named_is_told() -> None:
    other = Relation(1663, DATABASE, 17000)
    story = story_of(
        *(commit(at(1, n), 5, 700 + n, relations=(FILE if n % 2 else other,)) for n in range(1, 8))
    )
    found = find(story, WantedEvents(takes_away=True, is_named=matcher("orders"), limit=2))
    assert (found.total, [each.xid for each in found.happenings]) == (4, [705, 707])
