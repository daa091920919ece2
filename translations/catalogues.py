"""The catalogues: one .po file a language, beside this file.

    python -m translations.catalogues update     what the source says goes into each .po
    python -m translations.catalogues compile DIRECTORY
    python -m translations.catalogues pseudo DIRECTORY     `xx`: what still reads well was forgotten

Babel reads and writes them. What is extracted: `tr(…)`, `trn(…)` and `counted(…)` in the source and
the templates, the `help` of options, the titles of their groups and what commands say of
themselves (also by the name of a constant of the module), and the pages of the checks.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent
DOMAIN: Final = "pitr"
PACKAGE: Final = "pitr_locale"
SOURCES: Final = ("agent", "parsers", "rules")
WIDTH: Final = 100
PSEUDO: Final = "xx"
_KEYWORDS: Final = {"tr": None, "trn": (1, 2)}
_WRITTEN_IN_HELP: Final = ("help", "description", "epilog", "statuses")
_TITLED: Final = ("add_argument_group", "add_subparsers")

_NONE: Final[Mapping[str, str]] = {}

MessageId = str | tuple[str, str]


def compile_catalogues(directory: Path) -> dict[str, Path]:
    """Write the .mo of each language; by the place where it belongs in an installation."""
    return dict(
        _compiled(read_catalogue(source), source.stem, directory)
        for source in sorted(HERE.glob("*.po"))
    )


def _compiled(catalogue: Catalog, language: str, directory: Path) -> tuple[str, Path]:
    place = f"{PACKAGE}/{language}/LC_MESSAGES/{DOMAIN}.mo"
    compiled = directory / place
    compiled.parent.mkdir(parents=True, exist_ok=True)
    with compiled.open("wb") as file:
        write_mo(file, catalogue)
    return place, compiled


def read_catalogue(source: Path) -> Catalog:
    """One .po file."""
    with source.open("rb") as file:
        return read_po(file, locale=source.stem, domain=DOMAIN, abort_invalid=True)


def pseudo_catalogue() -> Catalog:
    """A language that nobody speaks: every letter of ours with an accent, every field as it is."""
    made = Catalog(domain=DOMAIN)
    for message in messages():
        texts = (message,) if isinstance(message, str) else message
        said = tuple(_accented(text) for text in texts)
        made.add(message, said if len(said) > 1 else said[0])
    return made


def write_pseudo_catalogue(directory: Path) -> None:
    """As an installation has it."""
    _compiled(pseudo_catalogue(), PSEUDO, directory)


def _accented(text: str) -> str:
    """Of a format, its fields stay; `%(default)s` of an option's help stays too."""
    return "".join(
        part if number % 2 else part.translate(_ACCENTS)
        for number, part in enumerate(_FIELD.split(text))
    )


_FIELD: Final = re.compile(r"(\{[^{}]*\}|%\([a-z]+\)s)")
_ACCENTS: Final = str.maketrans("aceinouyACEINOUY", "áçéíñóúýÁÇÉÍÑÓÚÝ")


def update() -> None:
    """Bring every .po to what the source says; what is said no more leaves it."""
    template = extracted()
    for source in sorted(HERE.glob("*.po")):
        catalogue = read_catalogue(source)
        catalogue.update(template, no_fuzzy_matching=True, update_header_comment=False)
        catalogue.obsolete.clear()
        write_catalogue(catalogue, source)


def write_catalogue(catalogue: Catalog, target: Path) -> None:
    """Without lines or dates, which would change with every commit."""
    catalogue.revision_date = catalogue.creation_date = _NO_DATE
    with target.open("wb") as file:
        write_po(
            file, catalogue, width=WIDTH, no_location=True, sort_output=True, omit_header=False
        )


_NO_DATE: Final = datetime(1970, 1, 1, tzinfo=UTC)


def extracted() -> Catalog:
    """All that is said, in English."""
    template = Catalog(project="pitr-agent", domain=DOMAIN)
    for message in messages():
        template.add(message)
    return template


def messages() -> Iterator[MessageId]:
    """What is to be translated; a pair is a singular and its plural."""
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield from filter(_has_words, _of_source(ast.parse(path.read_text())))
        for path in sorted((ROOT / folder).glob("*/templates/*")):
            yield from filter(_has_words, _of_template(path))
    yield from _of_checks()


def _has_words(message: MessageId) -> bool:
    """`{a}: {b}` says nothing."""
    from string import Formatter

    text = message if isinstance(message, str) else message[0]
    try:
        return any(any(map(str.isalpha, literal)) for literal, *_ in Formatter().parse(text))
    except ValueError:  # no format: a text with braces of its own
        return True


def _of_source(tree: ast.Module) -> Iterator[MessageId]:
    constants = {
        target.id: text
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and (text := _text(node.value))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _of_call(node, constants)


def _of_call(node: ast.Call, constants: Mapping[str, str]) -> Iterator[MessageId]:
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    texts = [_text(argument, constants) for argument in node.args]
    if name in ("tr", "say_constant") and texts[:1] and texts[0]:
        yield texts[0]
    elif name == "trn" and len(texts) > 1 and texts[0] and texts[1]:
        yield texts[0], texts[1]
    elif name == "counted" and len(texts) > 1 and texts[1]:
        yield f"{{n}} {texts[1]}", f"{{n}} {texts[1]}s"
    elif name in _TITLED and texts[:1] and texts[0]:
        yield texts[0]
    for keyword in node.keywords:
        if keyword.arg in _WRITTEN_IN_HELP and (text := _text(keyword.value, constants)):
            yield text


def _text(node: ast.expr | None, constants: Mapping[str, str] = _NONE) -> str | None:
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _of_template(path: Path) -> Iterator[MessageId]:
    from jinja2.ext import babel_extract

    with path.open("rb") as file:
        found = babel_extract(file, tuple(_KEYWORDS), [], {"trimmed": "true"})
        for _, function, said, _ in found:
            parts = [part for part in (said if isinstance(said, tuple) else (said,)) if part]
            if function == "trn":
                yield parts[0], parts[1]
            elif parts:
                yield parts[0]


def _of_checks() -> Iterator[MessageId]:
    from rules.verdict.check import load_catalogue

    for check in load_catalogue().values():
        yield from filter(None, (check.title, check.why, check.look, check.remedy))


if __name__ == "__main__":
    if sys.argv[1:] == ["update"]:
        update()
    elif sys.argv[1:2] == ["compile"] and len(sys.argv) == 3:
        compile_catalogues(Path(sys.argv[2]))
    elif sys.argv[1:2] == ["pseudo"] and len(sys.argv) == 3:
        write_pseudo_catalogue(Path(sys.argv[2]))
    else:
        sys.exit(__doc__)
