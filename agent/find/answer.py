"""One run of `pitr-check find`: what was asked, what was found, and what that is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.archive.restore_command import restore_command
from agent.find.look import FindInput
from agent.find.times import FindTimes, InstantsAsked
from agent.store.paths import any_path
from parsers.segment import PARTIAL_SUFFIX
from parsers.sentences import tr, trn
from parsers.values import dataclass
from rules.case.derived.listing import Listings
from rules.events.coverage import Coverage, find_coverage
from rules.events.events import FoundEvents, find
from rules.events.path_event import PathEvent
from rules.events.relation_names import matcher
from rules.events.target_before import Moment, find_moment
from rules.events.wanted import WantedEvents
from rules.model.findings import Verdict
from rules.model.repository import RepositoriesRead
from rules.recovery.settings_block import settings_block
from rules.repository.command import restore_command_of

if TYPE_CHECKING:
    from rules.events.attribution import Witness


@dataclass(frozen=True, slots=True, kw_only=True)
class FindRequest:
    """What a person typed, read."""

    wanted: WantedEvents
    dropped: str | None  # a name or number; "": whatever it was; None: not asked
    times: FindTimes
    log: str | None  # the server's log, a file or a directory
    log_line_prefix: str | None
    covers_us: int | None = None
    notes: tuple[str, ...] = ()  # what had to be assumed

    def at(self, times: InstantsAsked) -> FindRequest:
        """The same, with its times read."""
        wanted = replace(
            self.wanted,
            from_us=times.since_us,
            to_us=times.until_us,
            around_us=times.around_us,
        )
        notes = (times.note,) if times.note else ()
        return replace(self, wanted=wanted, covers_us=times.covers_us, notes=notes)

    @property
    def is_choice(self) -> bool:
        """Whether one thing was asked for, to restore to just before it."""
        return bool(self.dropped) or self.wanted.xid is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Everything that is printed."""

    asked: FindRequest
    look: FindInput
    found: FoundEvents | None  # None: only --covers was asked
    coverage: Coverage | None
    chosen: PathEvent | None  # the one that `moment` lies before
    moment: Moment | None
    who: Mapping[int, Sequence[Witness]] | None  # by LSN of the end; None: it cannot be known
    settings: str | None
    notes: tuple[str, ...]
    verdict: Verdict


def answer(asked: FindRequest, look: FindInput) -> Answer:
    """Search the story, and prove the target when one thing was found."""
    coverage = None
    if asked.covers_us is not None:
        coverage = find_coverage(asked.covers_us, look.story.chapters, look.holes, look.wal)
    found, chosen, moment = _find(asked, look) if _asks_to_find(asked) else (None, None, None)
    who, unknown = _who(asked, look, found)
    incomplete = bool(look.holes or look.unread) or any(
        chapter.flaw for chapter in look.story.chapters
    )
    return Answer(
        asked=asked,
        look=look,
        found=found,
        coverage=coverage,
        chosen=chosen,
        moment=moment,
        who=who,
        settings=_settings(look, moment),
        notes=(*asked.notes, *_notes(asked, look, found), *unknown, *_to_copy(look, moment)),
        verdict=_verdict(
            asked, found, coverage, moment, is_incomplete=incomplete, is_unread=bool(look.unread)
        ),
    )


def _asks_to_find(asked: FindRequest) -> bool:
    wanted = asked.wanted
    period = (wanted.from_us, wanted.to_us, wanted.around_us)
    return asked.covers_us is None or asked.is_choice or any(each is not None for each in period)


def _find(
    asked: FindRequest, look: FindInput
) -> tuple[FoundEvents, PathEvent | None, Moment | None]:
    wanted = asked.wanted
    if asked.dropped is not None:
        named = matcher(asked.dropped) if asked.dropped else None
        wanted = replace(wanted, takes_away=True, is_named=named)
    found = find(look.story, wanted)
    chosen = found.happenings[0] if found.total == 1 else None
    if chosen is None:
        return found, None, None
    return found, chosen, find_moment(chosen, look.restores, look.timeline, look.story)


def _who(
    asked: FindRequest, look: FindInput, found: FoundEvents | None
) -> tuple[dict[int, list[Witness]] | None, Sequence[str]]:
    """The log's word on what was found, or why it has none."""
    if asked.log is None or found is None:
        return None, ()
    from agent.find.log import NotTold, read_log
    from rules.events.attribution import find_witnesses

    backup = any_path(look.restores[-1].backup.url) if look.restores else None
    try:
        lines = read_log(asked.log, asked.log_line_prefix, backup)
        return find_witnesses(found.happenings, lines), ()
    except NotTold as reason:
        return None, (tr("who did it cannot be known: {reason}", reason=reason),)


def _settings(look: FindInput, moment: Moment | None) -> str | None:
    if moment is None or not moment.reachable:
        return None
    outcome, restore = moment.outcome, moment.restore
    if outcome is None or restore is None:
        return None
    listings = look.case.get(Listings)
    tools = look.case.get(RepositoriesRead)
    command = restore_command_of(tools) if tools else ""
    archives = listings.sources if listings else ()
    command = command or restore_command(archives, outcome.segments_needed)
    return settings_block(moment.goal, command, outcome.needs, restore.backup)


def _notes(asked: FindRequest, look: FindInput, found: FoundEvents | None) -> Sequence[str]:
    notes: list[str] = []
    if look.holes:
        names = [hole.segment for hole in look.holes]
        count = sum(hole.count for hole in look.holes)
        span = names[0]
        if len(names) > 1:
            span = tr("{first} to {last}", first=names[0], last=names[-1])
        notes.append(
            trn(
                "{n} segment missing ({span}): what happened there is not known",
                "{n} segments missing ({span}): what happened there is not known",
                count,
                span=span,
            )
        )
    notes += _unread(look)
    notes += [
        tr(
            "{segment} is damaged ({flaw}): what follows in it is not known",
            segment=chapter.segment,
            flaw=chapter.flaw,
        )
        for chapter in look.story.chapters
        if chapter.flaw
    ]
    if asked.is_choice and found is not None and found.total > 1:
        notes.append(
            tr(
                "{total} of them: choose one with --xid X to get the target before it",
                total=found.total,
            )
        )
    if asked.dropped and found is not None and not found.total:
        notes.append(_not_found(asked.dropped, look))
    return notes


def _unread(look: FindInput) -> Iterator[str]:
    """One note a reason: a budget leaves thousands of segments for later."""
    by_reason: dict[str, list[str]] = {}
    for segment, why in look.unread.items():
        by_reason.setdefault(why, []).append(segment)
    for why, names in by_reason.items():
        yield trn(
            "{first} was not read: {why}",
            "{n} segments from {first} to {last} were not read: {why}",
            len(names),
            first=names[0],
            last=names[-1],
            why=why,
        )


def _to_copy(look: FindInput, moment: Moment | None) -> Iterator[str]:
    """An unfinished segment is no server's to read until it is in the archive under its name."""
    if moment is None or moment.outcome is None or not moment.reachable:
        return
    for segment in moment.outcome.segments_needed:
        file = look.file_of(segment)
        if file is not None and file.name.endswith(PARTIAL_SUFFIX):
            yield tr(
                "the settings need {path} in the archive, as {segment}: copy it first",
                path=file.path,
                segment=segment,
            )


def _not_found(name: str, look: FindInput) -> str:
    nameless = find(
        look.story, WantedEvents(takes_away=True, is_named=_has_nameless, limit=1)
    ).total
    also = ""
    if nameless:
        also = trn(
            "; {n} commit removed files that no catalog here names: "
            "type --dropped alone to list them",
            "; {n} commits removed files that no catalog here names: "
            "type --dropped alone to list them",
            nameless,
        )
    return tr(
        "nothing called {name!r} was dropped or truncated in what was read{also}",
        name=name,
        also=also,
    )


def _has_nameless(happening: PathEvent) -> bool:
    return any(event.row is None for event in happening.relations)


def _verdict(
    asked: FindRequest,
    found: FoundEvents | None,
    coverage: Coverage | None,
    moment: Moment | None,
    *,
    is_incomplete: bool,
    is_unread: bool,
) -> Verdict:
    """A choice is as good as its proof; a list is good when there is something in it."""
    states: set[Verdict] = set()
    if coverage is not None:
        whole = coverage.is_known and all(s.is_held and not s.flaw for s in coverage.segments)
        states.add(Verdict.OK if whole else Verdict.CRITICAL)
    if found is not None:
        nothing = Verdict.UNKNOWN if is_incomplete else Verdict.WARNING
        states.add(Verdict.OK if found.total else nothing)
    if is_unread:  # what was not looked at is never fine
        states.add(Verdict.UNKNOWN)
    if moment is not None and asked.is_choice:
        proof = {True: Verdict.OK, False: Verdict.CRITICAL, None: Verdict.UNKNOWN}
        states.add(proof[moment.reachable])
    worst = (Verdict.CRITICAL, Verdict.UNKNOWN, Verdict.WARNING)
    return next((verdict for verdict in worst if verdict in states), Verdict.OK)
