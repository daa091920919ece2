"""The WAL summarizer and incremental backups."""

from __future__ import annotations

from typing import Final

from parsers.log.messages.event import Event
from parsers.log.messages.message import ANYONE, BACKGROUND, Message

# fmt: off
MESSAGES: Final = (
    Message("WAL summarization is not progressing", Event.SUMM_NOT_PROGRESSING, majors=range(17, 20), process=ANYONE, sample="WAL summarization is not progressing"),
    Message("still waiting for WAL summarization through %X/%X after %ld seconds", Event.SUMM_WAITING, ("lsn", "elapsed_seconds"), majors=range(17, 20), process=ANYONE, sample="still waiting for WAL summarization through 0/3000028 after 10 seconds"),
    Message("could not read WAL from timeline %u at %X/%X: %s", Event.SUMM_READ, ("timeline", "lsn", "error"), majors=range(17, 20), process=ANYONE, sample="could not read WAL from timeline 1 at 0/3000028: connection refused"),
    Message("WAL summaries are required on timeline %u from %X/%X to %X/%X, but no summaries for that timeline and LSN range exist", Event.INC_MISSING_SUMMARIES, ("timeline", "from_lsn", "to_lsn"), majors=range(17, 20), process=ANYONE, sample="WAL summaries are required on timeline 1 from 0/3000028 to 0/3000028, but no summaries for that timeline and LSN range exist"),
    Message("WAL summaries are required on timeline %u from %X/%X to %X/%X, but the summaries for that timeline and LSN range are incomplete", Event.INC_MISSING_SUMMARIES, ("timeline", "from_lsn", "to_lsn"), majors=range(17, 20), process=ANYONE, sample="WAL summaries are required on timeline 1 from 0/2000028 to 0/3000028, but the summaries for that timeline and LSN range are incomplete"),
    Message("timeline %u found in manifest, but not in this server's history", Event.INC_TLI, ("timeline",), majors=range(17, 20), process=ANYONE, sample="timeline 1 found in manifest, but not in this server's history"),
    Message("manifest requires WAL from final timeline %u ending at %X/%X, but this backup starts at %X/%X", Event.INC_TOO_EARLY, ("timeline", "lsn", "start_lsn"), majors=range(17, 20), process=ANYONE, sample="manifest requires WAL from final timeline 1 ending at 0/3000028, but this backup starts at 0/3000028"),
    Message('WAL cannot be summarized when "wal_level" is "minimal"', Event.INC_WAL_MINIMAL, majors=range(17, 20), process=BACKGROUND, sample='WAL cannot be summarized when "wal_level" is "minimal"'),
)
