"""The catalogue against itself, the server's programs and the server's translations."""

from __future__ import annotations

import gettext
from typing import Final

import pyparsing
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.postgres.installation import Installation
from parsers.errors import ParseError
from parsers.log.format_string import Conversion, parse_format
from parsers.log.message_catalogue import (
    ENGLISH,
    compile_matcher,
    parse_language,
    spellings,
)
from parsers.log.messages import TABLE
from parsers.log.messages.event import OF_NO_MESSAGE, Event
from parsers.log.messages.message import Message
from parsers.log.times import Zone
from tests.fix_tools import need
from tests.parsers.catalogues import LOCALE, language

ZONE = Zone()
MATCHERS = [compile_matcher(message) for message in TABLE]


@pytest.mark.parametrize("message", TABLE, ids=lambda message: message.id[:60])
def test_a_sample_is_its_own_message_and_no_other(message: Message) -> None:
    matched = [
        matcher.message
        for matcher in MATCHERS
        if matcher.message.part == message.part and matcher.match(message.sample, ZONE) is not None
    ]
    assert matched == [message]
    found = ENGLISH.recogniser.recognise(message.sample, message.part, ZONE)
    assert found is not None and found[0] is message
    assert set(found[1]) >= {*message.fields, *message.constants}


def test_every_event_is_some_message_s_or_none_s() -> None:
    assert {message.event for message in TABLE} | OF_NO_MESSAGE == set(Event)
    assert not OF_NO_MESSAGE & {message.event for message in TABLE}


def test_the_grammar_reads_ids_and_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiled matcher is one regular expression: it never asks pyparsing again."""

    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError("a line went through the grammar")

    monkeypatch.setattr(pyparsing.ParserElement, "parse_string", fail)
    for matcher in MATCHERS:
        fields = matcher.match(matcher.message.sample, ZONE)
        assert fields is not None and set(fields) >= set(matcher.message.fields)


def test_ids_are_unique() -> None:
    assert len({message.id for message in TABLE}) == len(TABLE)


# Not in every minor release; only in builds without lz4 or zstd.
_OF_SOME_BUILDS: Final = frozenset({
    "startup_failed_early", "stream_upstream_behind", "fpi_method_unsupported",
})  # fmt: skip


@pytest.mark.pg(">= 13", npm=True, each=True)
def test_every_id_is_a_string_of_the_server_of_its_major(pg: Installation) -> None:
    program = pg.program("postgres").read_bytes()
    for library in pg.bindir.parent.rglob("libpqwalreceiver.so"):
        program += library.read_bytes()
    missing = [
        message.id
        for message in TABLE
        if pg.major in message.majors
        and message.event not in _OF_SOME_BUILDS
        and not any(
            text.encode() + b"\0" in program
            for each in (message.id, *message.also)
            for text in spellings(each)
        )
    ]
    assert missing == []


@pytest.mark.parametrize("name", ["es", "de", "fr", "ja"])
def test_the_translations_have_our_ids_and_give_back_their_fields(name: str) -> None:
    file = LOCALE / name / "LC_MESSAGES" / "postgres-15.mo"
    need("messages of PostgreSQL 15")
    with file.open("rb") as stream:
        catalogue = gettext.GNUTranslations(stream)
    for message in TABLE:
        text = catalogue.gettext(message.id)
        if not message.translated:
            assert text == message.id
        if 15 in message.majors and text != message.id:
            compile_matcher(message, text)  # its conversions are those of the id
    fields = ENGLISH.recogniser.recognise("redo starts at 0/3000028", "message", ZONE)
    assert fields is not None
    printed = catalogue.gettext("redo starts at %X/%X") % (0, 0x3000028)
    found = language(name).recogniser.recognise(printed, "message", ZONE)
    assert found is not None and found[1] == fields[1]


# The French catalogue says two things in the same words.
_SAME_WORDS: Final = {("fr", "database system was interrupted; last known up at %s")}


@pytest.mark.parametrize("name", ["de", "es", "fr", "it", "ja", "ru"])
def test_every_message_is_understood_in_its_translation(name: str) -> None:
    file = LOCALE / name / "LC_MESSAGES" / "postgres-15.mo"
    need("messages of PostgreSQL 15")
    with file.open("rb") as stream:
        catalogue = gettext.GNUTranslations(stream)
    tried = 0
    for message in TABLE:
        text = catalogue.gettext(message.id)
        if text == message.id or (name, message.id) in _SAME_WORDS:
            continue
        tried += 1
        said = in_translation(message, text)
        found = language(name).recogniser.recognise(said, message.part, ZONE)
        expected = ENGLISH.recogniser.recognise(message.sample, message.part, ZONE)
        assert found is not None and expected is not None, said
        assert (found[0].event, found[1]) == (message.event, expected[1]), said
    assert tried > 180


def in_translation(message: Message, text: str) -> str:
    """The message's sample as a server prints it from the format string `text`."""
    match = compile_matcher(message).pattern.match(message.sample)
    assert match is not None
    values, fields, argument = {}, iter(message.fields), 1
    for piece in parse_format(message.id):
        if isinstance(piece, Conversion) and piece.kind != "errno":
            values[argument] = match[next(fields)]
            argument += piece.arguments
    printed, argument = "", 1
    for piece in parse_format(text):
        if isinstance(piece, str):
            printed += piece
        elif piece.kind == "errno":
            printed += match["error"]
        else:
            start = piece.argument or argument
            argument = start + piece.arguments
            printed += values[start]
    return printed


def test_arguments_may_be_reordered() -> None:
    message = next(message for message in TABLE if message.event == "history_wrong_tli")
    matcher = compile_matcher(
        message, "timeline %4$u was read, %1$X/%2$X is of timeline %3$u in the history"
    )
    assert matcher.match("timeline 7 was read, 0/28 is of timeline 2 in the history", ZONE) == {
        "lsn": 0x28, "timeline": 2, "file_timeline": 7,
    }  # fmt: skip


def test_a_server_in_an_ascii_locale_is_understood() -> None:
    message = next(message for message in TABLE if message.event == "file_restored")
    matcher = compile_matcher(message, "Logdatei »%s« aus Archiv wiederhergestellt")
    printed = "Logdatei >>00000002.history<< aus Archiv wiederhergestellt"
    assert matcher.match(printed, ZONE) == {"file": "00000002.history"}


@given(st.binary(max_size=200))
def test_rubbish_is_no_catalogue(data: bytes) -> None:
    for content in (data, b"\xde\x12\x04\x95" + data):
        try:
            parse_language("xx", content)
        except ParseError:
            continue


@given(st.text(max_size=60))
def test_any_text_is_read_as_a_format_or_refused(text: str) -> None:
    try:
        pieces = parse_format(text)
    except ParseError:
        return
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == text.replace(
        "%%", "%"
    ) or ("%" in text)


@given(st.text(max_size=80))
def test_any_message_is_recognised_or_not(text: str) -> None:
    ENGLISH.recogniser.recognise(text, "message", ZONE)
