"""What a worker does with a question. It runs in the worker's process, and never raises."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from agent.archive.readings import read_segment
from agent.archive.unreadable import Unreadable
from agent.dask_scan.words import (
    FINGERPRINT_BYTES,
    Answer,
    Failed,
    NotThere,
    Present,
    Question,
    Read,
    Refused,
    StoreCost,
    described,
    encode_answer,
    fingerprint,
)
from agent.repositories.reading import read_with_keys
from parsers.sentences import tr


def answer(asked: bytes) -> bytes:
    """Read the file that is asked about."""
    return encode_answer(_answer(asked))


def _answer(asked: bytes) -> Answer:
    if asked[:FINGERPRINT_BYTES] != fingerprint():
        return Refused(described())
    rest = asked[FINGERPRINT_BYTES:]
    return _read(msgspec.msgpack.decode(rest, type=Question)) if rest else Present()


def _read(question: Question) -> Answer:
    read = partial(read_with_keys, {}) if question.of_a_tool else read_segment
    try:
        scanned = read(
            question.file, question.segment, question.segment_size, question.depth, pack=True
        )
    except FileNotFoundError:
        return NotThere(tr("{worker} does not see it", worker=_me()), StoreCost())
    except Unreadable as failure:
        why = tr("{worker}: {why}", worker=_me(), why=failure)
        return Failed(why, failure.is_cold, StoreCost.of(failure.usage))
    usage = StoreCost.of(scanned.usage)
    if not scanned.as_listed:
        return NotThere(tr("{worker} sees another file there", worker=_me()), usage)
    assert scanned.packed is not None, "it was asked for"
    assert scanned.digest is not None, "it comes with that"
    return Read(*scanned.packed, scanned.digest, scanned.stable, scanned.changed is not None, usage)


def _me() -> str:
    from distributed import get_worker

    try:
        return tr("worker {address}", address=get_worker().address)
    except ValueError:  # it is called without one
        return tr("a worker")


class Errand:
    """A question that is answered where it is unpickled: the call is made by its name.

    So a scheduler, which looks into every task, needs nothing of ours.
    """

    def __init__(self, asked: bytes) -> None:
        self._asked = asked

    def __reduce__(self) -> tuple[Any, tuple[bytes]]:
        return answer, (self._asked,)
