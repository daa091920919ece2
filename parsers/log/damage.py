"""What terminals, browsers and mail make of a log's text, undone.

Colours (`ESC[32m`), no-break and zero-width blanks, HTML's escapes, curly quotes. A text is read as
it is first, and as repaired only where it says nothing: a translation may hold such characters.
"""

from __future__ import annotations

import html
import re
from typing import Final

_COLOUR: Final = re.compile(r"(?:\x1b|\^\[)\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_STAND_INS: Final = str.maketrans({
    **dict.fromkeys("\u00a0\u2007\u202f\u2000\u2001\u2002\u2003\u2009\u3000", " "),
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", None),
    **dict.fromkeys("“”„‟″", '"'),
    **dict.fromkeys("‘’‚‛′", "'"),
})  # fmt: skip
_DAMAGED: Final = re.compile(
    "[\x1b&\u00a0\u2000-\u2003\u2007\u2009\u200b-\u200d\u2018-\u201f\u202f\u2032\u2033\u2060"
    "\u3000\ufeff]|\\^\\["
)
BLANKS: Final = " \t\r\u00a0"


def strip_colours(text: str) -> str:
    """The text without what a terminal was told about its looks."""
    return _COLOUR.sub("", text) if "\x1b" in text or "^[[" in text else text


def repair(text: str) -> str:
    r"""The text as the server wrote it, as far as that can be told.

    >>> repair("LOG:\u00a0 restored log file &quot;00000002.history&quot; from “archive”")
    'LOG:  restored log file "00000002.history" from "archive"'
    """
    if _DAMAGED.search(text) is None:
        return text
    text = strip_colours(text).translate(_STAND_INS)
    return html.unescape(text).translate(_STAND_INS) if "&" in text else text
