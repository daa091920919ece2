"""The WAL summarizer and incremental backups."""

from __future__ import annotations

from typing import Final

from parsers.messages.message import ANYONE, BACKGROUND, Message

MESSAGES: Final = (
    Message(
        id="WAL summarization is not progressing",
        event="summ_not_progressing",
        majors=range(17, 19),
        process=ANYONE,
        sample="WAL summarization is not progressing",
    ),
    Message(
        id="still waiting for WAL summarization through %X/%X after %ld seconds",
        event="summ_waiting",
        fields=("lsn", "elapsed_seconds"),
        majors=range(17, 19),
        process=ANYONE,
        sample="still waiting for WAL summarization through 0/3000028 after 10 seconds",
    ),
    Message(
        id="could not read WAL from timeline %u at %X/%X: %s",
        event="summ_read",
        fields=("timeline", "lsn", "error"),
        majors=range(17, 19),
        process=ANYONE,
        sample="could not read WAL from timeline 1 at 0/3000028: connection refused",
    ),
    Message(
        id="WAL summaries are required on timeline %u from %X/%X to %X/%X, but no summaries for that timeline and LSN range exist",
        event="inc_missing_summaries",
        fields=("timeline", "from_lsn", "to_lsn"),
        majors=range(17, 19),
        process=ANYONE,
        sample="WAL summaries are required on timeline 1 from 0/3000028 to 0/3000028, but no summaries for that timeline and LSN range exist",
    ),
    Message(
        id="WAL summaries are required on timeline %u from %X/%X to %X/%X, but the summaries for that timeline and LSN range are incomplete",
        event="inc_missing_summaries",
        fields=("timeline", "from_lsn", "to_lsn"),
        process=ANYONE,
        majors=range(17, 19),
        sample="WAL summaries are required on timeline 1 from 0/2000028 to 0/3000028, but the summaries for that timeline and LSN range are incomplete",
    ),
    Message(
        id="timeline %u found in manifest, but not in this server's history",
        event="inc_tli",
        fields=("timeline",),
        majors=range(17, 19),
        process=ANYONE,
        sample="timeline 1 found in manifest, but not in this server's history",
    ),
    Message(
        id="manifest requires WAL from final timeline %u ending at %X/%X, but this backup starts at %X/%X",
        event="inc_too_early",
        fields=("timeline", "lsn", "start_lsn"),
        majors=range(17, 19),
        process=ANYONE,
        sample="manifest requires WAL from final timeline 1 ending at 0/3000028, but this backup starts at 0/3000028",
    ),
    Message(
        id='WAL cannot be summarized when "wal_level" is "minimal"',
        event="inc_wal_minimal",
        majors=range(17, 19),
        process=BACKGROUND,
        sample='WAL cannot be summarized when "wal_level" is "minimal"',
    ),
)
