"""One server message: its id in printf form, what it says, and who may say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, field
from typing import Final

from parsers.log.messages.event import Event
from parsers.values import dataclass

ALL_MAJORS: Final = range(13, 20)

# Who writes a message. The words are those of log_line_prefix's %b, plus two of our own.
STARTUP: Final = "startup"
POSTMASTER: Final = "postmaster"
ARCHIVER: Final = "archiver"
WALRECEIVER: Final = "walreceiver"
BACKGROUND: Final = "background"  # any process of the server's own, never a client's session
ANYONE: Final = "anyone"  # a client's session as well: such an event decides nothing

# Where in a record the text stands.
PRIMARY: Final = "message"
DETAIL: Final = "detail"
CONTEXT: Final = "context"


@dataclass(frozen=True, slots=True)
class Message:
    """One row of the catalogue: one line in its table, however long."""

    id: str  # the C format string: the key of the server's translations
    event: Event  # what it says happened
    fields: tuple[str, ...] = ()  # one name a conversion; %X/%X is one LSN, adjacent %s are one
    _: KW_ONLY
    also: tuple[str, ...] = ()  # ids of other releases that print the same text
    constants: Mapping[str, str] = field(default_factory=dict)  # fields that the id itself implies
    majors: range = ALL_MAJORS
    process: str = STARTUP
    part: str = PRIMARY
    translated: bool = True  # False for elog and errmsg_internal: no catalogue holds it
    sample: str  # verbatim, as a server writes it
