"""Words for what JSON has a word of its own for: a severity, a state, how a restore ended."""

from __future__ import annotations

from typing import Final

from parsers.sentences import tr

_WORDS: Final = {
    sentence.replace(" ", "_"): sentence
    for sentence in (
        # verdicts and severities
        tr("ok"), tr("info"), tr("warning"), tr("critical"),
        # a backup, an alert
        tr("restorable"), tr("not restorable"), tr("unknown"),
        tr("pending"), tr("firing"), tr("resolved"),
        # where recovery stops
        tr("before commit"), tr("after commit"), tr("before abort"), tr("after abort"),
        tr("before lsn"), tr("after lsn"), tr("at restore point"), tr("after consistency"),
        tr("at end of wal"),
        # a drill, a look inside
        tr("promoted"), tr("paused"), tr("shut down"), tr("failed"), tr("not run"),
        tr("passed"), tr("not done"),
        tr("copy"), tr("start"), tr("replay"), tr("open"), tr("stop"), tr("probes"),
        # goals
        tr("window"), tr("backup age"), tr("drill age"), tr("copies"),
        # what is wrong with a chain of evidence
        tr("altered"), tr("cut"), tr("repeated"), tr("broken link"), tr("head"),
        tr("another chain"), tr("out of order"), tr("wal digest"),
        # parts of the time axis
        tr("hour"), tr("day"), tr("week"), tr("month"), tr("year"), tr("all"),
    )
}  # fmt: skip


def word_of(value: str) -> str:
    """In words, if there are some; else as it is, without what joins its parts.

    >>> word_of("not_restorable"), word_of("of_another_day")
    ('not restorable', 'of another day')
    """
    return _WORDS.get(value) or value.replace("_", " ")
