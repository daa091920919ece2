"""The templates: Jinja2, which escapes what it is given and refuses what is not there."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup, escape

from agent import __version__
from agent.durations import format_duration
from agent.html.addresses import path_segment
from agent.html.static_files import static_link
from agent.html.words import word_of
from agent.language import said_template, say, spoken
from agent.printable import printable
from parsers.lsn import format_lsn
from parsers.sentences import Sentence, tr, trn
from rules.model.counted import sized
from rules.model.findings import Verdict

if TYPE_CHECKING:
    from jinja2 import Environment

_CODE: Final = re.compile(r"`([^`]+)`")
# By the word of a verdict or a severity. Word and sign stand beside a colour, and say the same.
SIGNS: Final = {"ok": "✓", "warning": "!", "critical": "✕", "unknown": "?", "info": "i"}


@functools.cache
def environment() -> Environment:
    """The one environment of the process. An agent whose page nobody opens has none."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("agent.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=_shown,
    )
    made.filters |= {
        "at": show_instant,
        "bytes": sized,
        "capital": show_capital,
        "code": show_code,
        "duration": format_duration,
        "lines": show_lines,
        "lsn": format_lsn,
        "precisely": show_precisely,
        "prose": show_prose,
        "segment": path_segment,
        "verdict": show_verdict,
        "word": word_of,
    }
    made.globals |= {
        "version": __version__, "static": static_link, "signs": SIGNS, "tr": tr, "trn": trn,
        "language_tag": language_tag,
    }  # fmt: skip
    return made


def render(template: str, **context: Any) -> str:
    """One template with what it shows."""
    return environment().get_template(template).render(context)


def language_tag() -> str:
    """The language that is spoken, as HTML and HTTP name it: `es-MX`."""
    return spoken().replace("_", "-")


def show_capital(text: str) -> str:
    """What begins a sentence."""
    said = say(text)
    return said[:1].upper() + said[1:]


def show_verdict(value: str) -> str:
    """As it stands at the head of a report."""
    return Verdict(value).word


def show_code(text: object) -> Markup:
    """What is typed, or is a name of somebody else's."""
    return Markup("<code>{}</code>").format(printable(str(text)))


def show_instant(at: datetime | None) -> Markup:
    """A `<time>`: UTC, to the second. Scripts add how long ago that is."""
    if at is None:
        return Markup('<span class="absent">{}</span>').format(say(tr("not known")))
    exact = at.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(
        exact.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        exact.strftime("%Y-%m-%d %H:%M:%S"),
    )


def show_precisely(at: datetime) -> Markup:
    """The same to the microsecond, as PostgreSQL has it; nothing is added to it."""
    return Markup('<span class="exact">{}</span>').format(
        at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC")
    )


def show_lines(text: str) -> Markup:
    """Text of several lines: each escaped by itself, so that the ends of lines stay."""
    return Markup("\n").join(printable(line) for line in say(text).split("\n"))


def show_prose(text: str) -> Markup:
    """A text of ours, in which `code` stands in backticks."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(printable(say(text))))))


def _shown(value: Any) -> Any:
    """Every expression comes by here: what is not printed is shown as what it is."""
    if isinstance(value, Sentence):
        return _said(value)
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return value


def _said(sentence: Sentence) -> str:
    """In the language that is spoken. A field that is HTML stays so."""
    if not any(isinstance(field, Markup) for field in sentence.fields.values()):
        return printable(say(sentence))
    fields = {
        name: printable(say(field))
        if isinstance(field, str) and not isinstance(field, Markup)
        else field
        for name, field in sentence.fields.items()
    }
    return Markup(escape(said_template(sentence))).format(**fields)
