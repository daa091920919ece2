"""The predictor in a process beside the view: asked once, answering again when the archive grows.

It runs at low priority, and what it reads the server then finds in the page cache. Nothing in the
view waits for it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Mapping
from dataclasses import field, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Final

from agent.archive.directory import NotAnArchive
from agent.backups.describe import NotABackup
from agent.errors import NoProcess
from agent.processes import fork_server, starting
from agent.watch.foretell import PredictionQuestion, Unpredictable, foretell, list_archives
from parsers.errors import ParseError
from parsers.sentences import message_of, tr
from parsers.values import dataclass
from rules.case.case import Case
from rules.live.forecast import Forecast
from rules.model.facts import ArchiveFacts

_LIST_SECONDS: Final = 30.0  # between two listings, and longer where one takes long
_SHARE: Final = 5  # it works a fifth of the time at the most
_NICENESS: Final = 10
_GOODBYE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """One listing."""

    names: tuple[str, ...] = ()  # of segments, sorted
    segment_size: int | None = None  # bytes
    stored: Mapping[str, str] = field(default_factory=dict)  # segment -> its file, of another name
    complaint: str | None = None  # why there is none


def archived_of(facts: ArchiveFacts) -> Archived:
    """What a watcher keeps of a listing."""
    compressed = {name: facts.segments[name].name for name in facts.compressed}
    unfinished = {name: file.name for name, file in facts.partials.items()}
    names = {**facts.lookalikes, **unfinished, **compressed}
    return Archived(
        names=tuple(sorted(facts.segments)),
        segment_size=facts.segment_size_bytes,
        stored={name: file.rpartition("/")[2] for name, file in names.items()},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSoFar:
    """The predictor is at this segment."""

    segment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoForecast:
    """The predictor gave no answer."""

    why: str


Word = Archived | ReadSoFar | NoForecast | Forecast


# -- the side of the view -------------------------------------------------------------------------


class Foreteller:
    """One question at a time, and the latest answers to it. Never blocks, but for `wait_listed`."""

    def __init__(self) -> None:
        self.archived: Archived | None = None
        self.forecast: Forecast | None = None
        self.reading: str | None = None  # the segment that is being read for the forecast
        self.complaint: str | None = None  # why there is no forecast
        self._asked: PredictionQuestion | None = None
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    @property
    def asked(self) -> PredictionQuestion | None:
        return self._asked

    def consider(self, question: PredictionQuestion) -> bool:
        """Ask, unless it was asked already. A label that is gone has been read by the server.

        So has a signal file, which goes when recovery ends.
        """
        asked = self._asked
        if asked is not None and question.label is None:
            question = replace(question, label=asked.label, signalled=asked.signalled)
        if question == self._asked:
            return False
        self.ask(question)
        return True

    def ask(self, question: PredictionQuestion) -> None:
        """Drop the question before, and ask this one."""
        self.close()
        self._asked, self.forecast, self.complaint, self.reading = question, None, None, None
        self._pipe, theirs = multiprocessing.Pipe()
        try:
            process = fork_server().Process(target=_serve, args=(question, theirs), daemon=True)
            with starting():
                process.start()
            self._process = process
        except NoProcess as error:
            self.complaint = message_of(error)
        theirs.close()

    def receive(self) -> None:
        """Take what was answered since the last call."""
        pipe = self._pipe
        with contextlib.suppress(EOFError, OSError):
            while pipe is not None and pipe.poll():
                self._take(pipe.recv())

    def wait_listed(self, seconds: float) -> None:
        """Give the first listing this long to come."""
        deadline = time.monotonic() + seconds
        while self._process is not None and self.archived is None:
            self.receive()
            if time.monotonic() > deadline or not self._process.is_alive():
                self.receive()
                return
            time.sleep(0.05)

    def close(self) -> None:
        """End the process, whatever it does."""
        process, self._process = self._process, None
        pipe, self._pipe = self._pipe, None
        if process is not None:
            process.terminate()
            process.join(_GOODBYE_SECONDS)
        if pipe is not None:
            pipe.close()

    def _take(self, word: Word) -> None:
        match word:
            case Archived():
                self.archived = word
            case ReadSoFar():
                self.reading = word.segment
            case NoForecast():
                self.complaint, self.reading = word.why, None
            case Forecast():
                self.forecast, self.complaint, self.reading = word, None, None


# -- the process ----------------------------------------------------------------------------------


def _serve(question: PredictionQuestion, pipe: Connection) -> None:
    os.nice(_NICENESS)
    try:
        _serve_forever(question, pipe)
    except (OSError, EOFError):
        return  # the view is gone
    except Exception as error:  # the boundary of this job: the view says that nothing is foreseen
        kind = type(error).__name__
        pipe.send(NoForecast(why=tr("unexpected {kind}: {error}", kind=kind, error=str(error))))


def _serve_forever(question: PredictionQuestion, pipe: Connection) -> None:
    before: ArchiveFacts | None = None
    settled = False
    while True:
        began = time.monotonic()
        listed = _list(question, pipe)
        listing = listed.get(ArchiveFacts) if listed is not None else None
        if listed is not None and listing is not None and not _same(listing, before):
            pipe.send(archived_of(listing))
            before = listing
            if question.label is not None and not settled:
                settled = _answer(question, listed, pipe)
        if pipe.poll(max(_LIST_SECONDS, _SHARE * (time.monotonic() - began))):
            return


def _list(question: PredictionQuestion, pipe: Connection) -> Case | None:
    try:
        return list_archives(question.archives)
    except NotAnArchive as error:
        pipe.send(Archived(complaint=message_of(error)))
        return None


def _same(listing: ArchiveFacts, before: ArchiveFacts | None) -> bool:
    return before is not None and (listing.segments, listing.histories) == (
        before.segments,
        before.histories,
    )


def _answer(question: PredictionQuestion, listed: Case, pipe: Connection) -> bool:
    """Predict; tell whether more WAL cannot change the answer."""
    try:
        forecast = foretell(question, listed, lambda name: pipe.send(ReadSoFar(segment=name)))
    except (NotABackup, ParseError, Unpredictable) as error:
        pipe.send(NoForecast(why=message_of(error)))
        return False
    pipe.send(forecast)
    return not forecast.depends_on_the_end
