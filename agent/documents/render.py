"""A document, or the lines for a person, as the one text that is printed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from agent.language import say


def render_json(document: Mapping[str, Any]) -> str:
    """One document, indented for the person who reads it too."""
    return json.dumps(document, indent=1, ensure_ascii=False)


def render_text(lines: Iterable[str]) -> str:
    """What a person reads, in the language that is spoken; print adds the last line's end."""
    return "\n".join(map(say, lines))
