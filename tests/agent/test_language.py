"""What is said, in which language: as asked for, and English where nothing else can be."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from agent import language
from agent.errors import UsageError
from agent.language import choose, known_locale, locale_of, locale_of_header, say, speak, speaking
from parsers.sentences import Sentence, indented, joined, message_of, tr, trn

BIN: Final = Path(sys.executable).parent
SPANISH: Final[dict[str | tuple[str, str], str | tuple[str, str]]] = {
    "{name} is missing": "falta {name}",
    "{ratio:.1f} of {size:,}": "{ratio:.1f} de {size:,}",
    "{path}: {error}": "{path}: {error}",
    ("{n} gap in {at}", "{n} gaps in {at}"): (
        "{n} hueco en {at}",
        "{n} huecos en {at}",
    ),
    ("nothing else", "{n} others"): ("nada más", "otros {n}"),
    "the archive": "el archivado",
    " and ": " y ",
    "{verdict:<8}|": "{verdict:<8}|",
    "{name!r} at {name!s}": "{name!r} en {name!s}",
    "100 % {sure}": "100 % {seguro}",
    "{one} {two}": "{one} {0}",
    "{bad}": "{bad",
}


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the catalogues are: Spanish alone."""
    _write(tmp_path, "es")
    monkeypatch.setattr(language, "_places", lambda: [tmp_path])
    _forget()
    yield tmp_path
    monkeypatch.undo()
    _forget()


def _write(place: Path, name: str) -> Path:
    catalogue = Catalog()
    for message, said in SPANISH.items():
        catalogue.add(message, said)
    path = place / name / "LC_MESSAGES" / "pitr.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, catalogue)
    return path


def _forget() -> None:
    speak(None)
    for cached in (language.languages, language._load, language._catalogue, language._symbols):
        cached.cache_clear()


# -- which language is asked for -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "es_MX.UTF-8"}, "es_MX"),
        ({"LANG": "es"}, "es"),
        ({"LANG": "es_ES@euro"}, "es_ES"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "nonsense", "LANGUAGE": ""}, "en"),
        ({"LC_ALL": "es_AR.UTF-8", "LC_MESSAGES": "en_US.UTF-8", "LANG": "en_US.UTF-8"}, "es_AR"),
        ({"LC_ALL": "", "LC_MESSAGES": "es_CO.UTF-8", "LANG": "en_US.UTF-8"}, "es_CO"),
        ({"LC_MESSAGES": "en_US.UTF-8", "LANG": "es_CO.UTF-8"}, "en"),
        ({"LC_NUMERIC": "es_MX.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "es"}, "es"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "fr:es_PE:en"}, "es_PE"),
        ({"LANG": "es_MX.UTF-8", "LANGUAGE": "en:es"}, "en"),
        ({"LANG": "es_MX.UTF-8", "LANGUAGE": "fr"}, "en"),
        ({"LANG": "es_MX.UTF-8", "LANGUAGE": "es:en"}, "es_MX"),
        ({"LANG": "es_MX.UTF-8", "LANGUAGE": "es_ES"}, "es_ES"),
        ({"LANG": "es_MX.UTF-8", "LANGUAGE": "C:es"}, "en"),
        ({"LANG": "C", "LANGUAGE": "es"}, "en"),
        ({"LANG": "es_MX.UTF-8", "LC_ALL": "C.UTF-8", "LANGUAGE": "es"}, "es"),
        ({"LANG": "POSIX", "LANGUAGE": "es"}, "en"),
        ({"LANGUAGE": "es"}, "en"),
    ],
)
def test_the_environment_asks_as_it_asks_gettext(
    environment: dict[str, str], expected: str
) -> None:
    assert locale_of(environment) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", None),
        ("*", None),
        ("de-DE,de;q=0.9", None),
        ("es", "es"),
        ("es-MX,es;q=0.9,en;q=0.8", "es_MX"),
        ("es-419", "es_419"),
        ("en-US,en;q=0.9,es;q=0.8", "en"),
        ("fr, es;q=0.5, en;q=0.4", "es"),
        ("en;q=0.2, ES-ar; Q=0.7", "es_AR"),
        ("es;q=0, en;q=0.1", "en"),
        ("es;q=soon, de", None),
        ("es;q=nan", None),
        ("es;level=1;q=0.5", None),
        (",,;q=1, es ;q=0.1", "es"),
        ('es-"><script>', "es"),
        ("\N{ARABIC-INDIC DIGIT ONE}", None),
    ],
)
def test_what_a_browser_likes_best(header: str, expected: str | None) -> None:
    assert locale_of_header(header) == expected


@pytest.mark.parametrize("text", ["es_419", "es-419", "ES-419", "es_419.UTF-8"])
def test_a_locale_as_anybody_writes_it(text: str) -> None:
    assert known_locale(text) == "es_419"


def test_what_no_locale_has_is_no_territory() -> None:
    """Whatever a header says, there are not more of them than territories."""
    assert {known_locale(f"es-{odd}") for odd in ("§§", "a", "abcd", "1234", "ñx", "")} == {"es"}


def test_a_language_of_one_territory(places: Path) -> None:
    _write(places, "pt_BR")
    language.languages.cache_clear()
    assert (known_locale("pt-BR"), known_locale("pt"), known_locale("pt_PT")) == (
        "pt_BR",
        None,
        None,
    )
    speak("pt_BR")
    assert say(tr("the archive")) == "el archivado"


@pytest.mark.parametrize(
    ("words", "environment", "expected"),
    [
        ([], "es_MX.UTF-8", "es_MX"),
        (["--lang", "es"], "en_US.UTF-8", "es"),
        (["--archive", "x", "--lang=es-AR"], "C", "es_AR"),
        (["--lang", "en"], "es_MX.UTF-8", "en"),
        (["--lang", "C"], "es_MX.UTF-8", "en"),
        (["--lang", "en", "--lang", "es"], "C", "es"),
        (["--", "--lang", "es"], "C", "en"),
        (["--lang"], "es_MX.UTF-8", "es_MX"),
    ],
)
def test_an_option_goes_before_the_environment(
    words: list[str], environment: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", environment)
    choose(words)
    assert language.spoken() == expected


def test_a_language_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said in the one of the environment."""
    monkeypatch.delenv("LANGUAGE", raising=False)
    monkeypatch.setenv("LC_ALL", "es_MX.UTF-8")
    for asked in ("fr", ""):
        with pytest.raises(UsageError, match=rf"--lang '{asked}': choose one of en, es"):
            choose(["--lang", asked])
        assert language.spoken() == "es_MX"


# -- what is said --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("es", "1,5 de 1.234.567"),
        ("es_ES", "1,5 de 1.234.567"),
        ("es_AR", "1,5 de 1.234.567"),
        ("es_MX", "1.5 de 1,234,567"),
        ("es_419", "1.5 de 1,234,567"),
        ("es_XX", "1,5 de 1.234.567"),
        ("es_000", "1,5 de 1.234.567"),
    ],
)
def test_numbers_are_written_by_the_locale(locale: str, expected: str) -> None:
    speak(locale)
    sentence = tr("{ratio:.1f} of {size:,}", ratio=1.5, size=1234567)
    assert say(sentence) == expected
    assert sentence == "1.5 of 1,234,567"


def test_what_only_looks_like_a_number_stays() -> None:
    speak("es")
    assert say(tr("{name} is missing", name="18.7")) == "falta 18.7"
    assert say(tr("{name} is missing", name=True)) == "falta True"
    assert say("1.5 of nothing") == "1.5 of nothing"


@pytest.mark.parametrize(
    ("n", "english", "spanish"),
    [(0, "0 gaps", "0 huecos"), (1, "1 gap", "1 hueco"), (2, "2 gaps", "2 huecos")],
)
def test_plurals(n: int, english: str, spanish: str) -> None:
    speak("es")
    sentence = trn("{n} gap in {at}", "{n} gaps in {at}", n, at=tr("the archive"))
    assert sentence == f"{english} in the archive"
    assert say(sentence) == f"{spanish} en el archivado"
    assert language.said_template(sentence) == f"{spanish.replace(str(n), '{n}')} en {{at}}"


def test_a_singular_may_name_no_number() -> None:
    speak("es")
    assert [say(trn("nothing else", "{n} others", n)) for n in (1, 3)] == ["nada más", "otros 3"]


def test_sentences_in_sentences_are_said_too() -> None:
    speak("es")
    missing = tr("{name} is missing", name=tr("the archive"))
    assert say(missing) == "falta el archivado"
    assert say(indented(missing)) == "  falta el archivado"
    assert say(joined(tr(" and "), [missing, "x{y}", missing])) == (
        "falta el archivado y x{y} y falta el archivado"
    )
    assert say(tr("{verdict:<8}|", verdict=missing)) == "falta el archivado|"
    assert (
        say(tr("{name!r} at {name!s}", name=tr("the archive"))) == "'the archive' en el archivado"
    )


def test_an_error_keeps_its_sentence() -> None:
    speak("es")
    error = ValueError(tr("{name} is missing", name="pg_wal"))
    assert say(error) == say(message_of(error)) == "falta pg_wal"
    told = tr("{path}: {error}", path="/x", error=error)
    assert (told, say(told)) == ("/x: pg_wal is missing", "/x: falta pg_wal")
    assert say(OSError(2, "No such file")) == "[Errno 2] No such file"
    assert not any(isinstance(field, BaseException) for field in told.fields.values())


@pytest.mark.parametrize(
    "sentence",
    [
        tr("the archive"),
        tr("{path}: {error}", path="/x", error=ValueError(tr("the archive"))),
        trn("{n} gap in {at}", "{n} gaps in {at}", 2, at=tr("the archive")),
    ],
)
def test_a_sentence_outlives_a_process(sentence: Sentence) -> None:
    speak("es")
    for other in (pickle.loads(pickle.dumps(sentence)), copy.deepcopy(sentence)):
        assert (type(other), other, say(other)) == (Sentence, sentence, say(sentence))


def test_english_is_what_is_there() -> None:
    sentence = tr("{name} is missing", name="x")
    assert say(sentence) is sentence
    speak("es")
    assert say(tr("never translated: {name}", name=tr("the archive"))) == (
        "never translated: el archivado"
    )
    assert say(tr("")) == ""
    with speaking(None):
        assert say(sentence) == "x is missing"
    with speaking("en"):
        assert (say(sentence), language.spoken()) == ("x is missing", "en")
    assert say(sentence) == "falta x"


# -- catalogues that are of no use ---------------------------------------------------------------


@pytest.mark.parametrize(
    "sentence",
    [tr("100 % {sure}", sure="sure"), tr("{one} {two}", one=1, two=2), tr("{bad}", bad="bad")],
)
def test_a_translation_of_other_fields_is_english(sentence: Sentence) -> None:
    speak("es")
    assert say(sentence) == str(sentence)
    assert type(say(sentence)) is str


def test_a_catalogue_that_is_cut_off_is_english(places: Path) -> None:
    path = places / "es" / "LC_MESSAGES" / "pitr.mo"
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        language._load.cache_clear()
        language._catalogue.cache_clear()
        speak("es")
        assert say(tr("the archive")) in ("the archive", "el archivado")
    path.write_bytes(b"\xff" * 200)
    language._load.cache_clear()
    language._catalogue.cache_clear()
    speak("es")
    assert (say(tr("the archive")), language.spoken()) == ("the archive", "en")


def test_without_catalogues_nothing_else_is_spoken(places: Path) -> None:
    (places / "es" / "LC_MESSAGES" / "pitr.mo").unlink()
    _forget()
    assert locale_of({"LANG": "es_MX.UTF-8"}) == "en"
    assert locale_of_header("es") is None
    speak("es")
    assert say(tr("the archive")) == "the archive"


# -- of a process, and of one answer -------------------------------------------------------------


def test_each_answer_has_its_own_language() -> None:
    speak("es_MX")
    sentence = tr("{ratio:.1f} of {size:,}", ratio=1.5, size=1)

    def answer(locale: str | None) -> str:
        with speaking(locale):
            return "".join({say(sentence) for _ in range(200)})

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(answer, ["es", "en", "es_MX", None] * 5))
        assert said == ["1,5 de 1", "1.5 of 1", "1.5 de 1", "1.5 of 1"] * 5
        assert pool.submit(say, sentence).result() == "1.5 de 1"
    assert language.spoken() == "es_MX"


@pytest.mark.parametrize(
    "command", [["pitr-check", "--version"], ["pitr-agent", "fetch-wal", "--help"]]
)
def test_english_loads_nothing_for_others(command: list[str]) -> None:
    """argparse imports gettext itself, Babel nobody; and no catalogue is looked for."""
    started = subprocess.run(
        [sys.executable, "-X", "importtime", BIN / command[0], *command[1:]],
        capture_output=True, text=True, env={"LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert started.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in started.stderr.splitlines()}
    assert "agent.language" in imported
    assert not any(name.partition(".")[0] == "babel" for name in imported)
    assert "pitr_locale" not in imported
    assert "argparse" in imported or "gettext" not in imported
