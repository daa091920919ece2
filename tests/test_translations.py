"""The catalogues in translations/ are whole: nothing is left in English, nothing is lost."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message

from agent.language import languages, say, speaking
from parsers.sentences import tr
from translations.catalogues import HERE, extracted, read_catalogue, write_catalogue

SOURCES = sorted(HERE.glob("*.po"))
OPTION_DEFAULT = re.compile(r"%\([a-z_]+\)s")


@pytest.fixture(scope="session")
def template() -> Catalog:
    return extracted()


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_catalogue_has_all_that_is_said_and_nothing_else(
    source: Path, template: Catalog, tmp_path: Path
) -> None:
    """`make translations` would change nothing."""
    catalogue = read_catalogue(source)
    said = {message.id for message in catalogue if message.id}
    wanted = {message.id for message in template if message.id}
    assert (wanted - said, said - wanted) == (set(), set()), "type  make translations"
    write_catalogue(catalogue, tmp_path / source.name)
    assert (tmp_path / source.name).read_bytes() == source.read_bytes(), "type  make translations"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_message_is_translated(source: Path) -> None:
    messages = [message for message in read_catalogue(source) if message.id]
    assert [message.id for message in messages if message.fuzzy or not all(forms(message))] == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_field_stays(source: Path) -> None:
    """A plural may leave its number out in the form for one."""
    wrong = []
    for message in read_catalogue(source):
        if not message.id:
            continue
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        known = {field for each in ids for field in fields(each)}
        for number, form in enumerate(forms(message)):
            lost = fields(ids[min(number, len(ids) - 1)]) - fields(form)
            may_be_lost = {"n!None:"} if message.pluralizable and number == 0 else set()
            if fields(form) - known or lost - may_be_lost:
                wrong.append((message.id, form))
    assert wrong == []


def forms(message: Message) -> list[str]:
    said = message.string
    return [said] if isinstance(said, str) else list(said)


def fields(text: str) -> set[str]:
    """With how each is written: `{age:.1f}` is another than `{age}`."""
    named = set(OPTION_DEFAULT.findall(text))
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:  # no format: its braces are its own
        return named
    return named | {f"{name}!{how}:{spec}" for _, name, spec, how in parts if name is not None}


def test_the_installed_package_speaks_every_language() -> None:
    assert languages() >= {source.stem for source in SOURCES}
    with speaking("es_MX"):
        assert say(tr("unknown")) == "desconocido"
