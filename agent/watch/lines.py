"""The views of a restore as lines of text: values in, lines out, nothing printed here."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from agent.durations import format_duration
from agent.language import say, say_constant
from agent.live.progress import RestoreProgress
from agent.live.words import Line, in_words, instant, stop_words, verdict_line
from agent.watch.notice import Notice
from parsers.errors import Unparsed
from parsers.log.stream import StreamItem
from parsers.lsn import format_lsn
from parsers.sentences import tr
from parsers.values import dataclass
from rules.live.checks import EndCheck
from rules.live.observation import Prefetch, WalReceiver
from rules.live.summary import Summary
from rules.model.counted import counted, sized
from rules.model.findings import Verdict
from rules.verdict.live import Explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenView:
    """All that a screen shows, at one instant."""

    where: str  # the data directory or the log
    phase: str
    phase_seconds: float
    target: str
    predicted: str | None  # None: nobody has asked the predictor, or nothing came of it
    summary: Summary
    explanation: Explanation
    progress: RestoreProgress
    replayed_at: datetime | None
    segment: str | None
    segment_doing: str | None  # "fetching", "waiting for", "applying", "applying, then"
    timeline: int | None
    receiver: WalReceiver | None
    prefetch: Prefetch | None
    recent: tuple[StreamItem, ...]
    notices: tuple[Notice, ...]  # what lies ahead, what stalls, what disagrees
    notes: tuple[str, ...]  # what is not known
    checks: tuple[EndCheck, ...]  # empty until there is an end
    stop: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What a screen shows of itself."""

    clock: datetime
    keys: bool  # they are read
    pause_hint: bool = False  # it was asked for


# What stands before a row; the widest says how far in the rest begins.
_ROWS: Final = (
    tr("phase"), tr("target"), tr("predicted"), tr("WAL"), tr("segments"), tr("streaming"),
    tr("prefetch"), tr("last commit"), tr("timeline"), tr("stop"), tr("note"), tr("stalled"),
    tr("disagree"), tr("WILL FAIL"), tr("mind"), tr("next"), tr("pause"), tr("cause"), tr("fatal"),
)  # fmt: skip
_KEYS: Final = tr("q leave   p how to pause and resume")
_PAUSE_HINT: Final = tr(
    "on the server:  SELECT pg_wal_replay_pause();  and  SELECT pg_wal_replay_resume();"
    "  (once it accepts connections; with hot_standby = on)"
)
_EVENT: Final = "dim"
_NARROW: Final = 30  # narrower, nothing is wrapped
_SHORT_CLOCK: Final = 60  # narrower, events have no milliseconds
_BAR: Final = (10, 40)  # cells, at least and at most
_EVENT_FRAME: Final = 1  # the empty line above the events
_TITLE_LINES: Final = 3  # of the head, which always stay


def item_lines(item: StreamItem | Notice, *, short: bool = False) -> Iterator[str]:
    """One event as it came, for a log of the log; `short` leaves out milliseconds and zone."""
    if isinstance(item, Notice):
        text = tr("WILL FAIL: {text}", text=item.text) if item.fails else item.text
        yield f"{_clock(item.at):16}  {say(text)}"
        if item.remedy:
            yield f"{'':16}  {say(tr('next: {remedy}', remedy=item.remedy))}"
        return
    if isinstance(item, Unparsed):
        yield f"{'':19}  ?  {item.text}"
        return
    words = in_words(item)
    said = say(words if item.proven else tr("{words}  (unproven)", words=words))
    if short:
        yield f"{_clock(item.at)[:8] if item.at else '':8} {said}"
    else:
        yield f"{_clock(item.at) if item.at else '':16}  {said}"


def _clock(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%H:%M:%S.%f")[:-3] + " UTC"


def screen_lines(
    view: ScreenView, width: int, height: int | None = None, *, bar: Bar | None = None
) -> Iterator[Line]:
    """The whole screen, each line no wider than `width`: events are cut, all else is wrapped.

    Of a low screen the events go first, then what stands above them: what to know and to type
    stays. Without `bar` it is a screen that stays: it has no clock, and no keys.
    """
    head = list(_fitted(_head(view, width, bar), width))
    foot = list(_fitted(_foot(view, bar), width))
    room = None if height is None else max(0, height - len(head) - len(foot))
    events = list(_event_lines(view.recent, width, room))
    if height is not None:
        head = head[: max(_TITLE_LINES, height - len(foot) - len(events))]
    yield from (*head, *events, *foot)


def _fitted(lines: Iterator[Line], width: int) -> Iterator[Line]:
    label_width = _label_width()
    for line, style in lines:
        text = say(line)
        if len(text) <= width:
            yield text, style
        elif width < _NARROW:
            yield _cut(text, width), style
        else:
            indent = " " * (label_width if width >= 3 * label_width else 2)
            yield from (
                (part, style) for part in textwrap.wrap(text, width, subsequent_indent=indent)
            )


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def _event_lines(recent: tuple[StreamItem, ...], width: int, room: int | None) -> Iterator[Line]:
    """The last events, between empty lines. On a narrow screen the time is the clock's alone."""
    lines = [line for item in recent for line in item_lines(item, short=width < _SHORT_CLOCK)]
    if room is not None:
        lines = lines[max(0, len(lines) - room + _EVENT_FRAME) :] if room > _EVENT_FRAME else []
    if not lines:
        return
    yield "", ""
    indent = " " if width < _SHORT_CLOCK else "  "
    yield from ((_cut(f"{indent}{line}", width), _EVENT) for line in lines)


def _head(view: ScreenView, width: int, bar: Bar | None) -> Iterator[Line]:
    yield _title(f"pitr-watch  {view.where}", width, bar), "bold"
    yield "", ""
    yield _row("phase", f"{say(view.phase)}  ({format_duration(view.phase_seconds)})"), "bold cyan"
    yield _row("target", view.target), ""
    if view.predicted:
        yield _row("predicted", view.predicted), ""
    yield from _progress_lines(view.progress, width)
    yield from _replay_lines(view)
    if view.stop:
        yield _row("stop", view.stop), "green" if view.summary.verdict is Verdict.OK else "yellow"
    for note in view.notes:
        yield _row("note", note), "yellow"


def _title(text: str, width: int, bar: Bar | None) -> str:
    """With the clock at the right, where there is room for it."""
    clock = f"{bar.clock.astimezone(UTC):%H:%M:%S} UTC" if bar else ""
    room = width - len(text) - len(clock)
    return f"{text}{' ' * room}{clock}" if clock and room > 1 else text


def _foot(view: ScreenView, bar: Bar | None) -> Iterator[Line]:
    """What to know and to type."""
    if view.notices:
        yield "", ""
    for notice in view.notices:
        yield from notice_lines(notice)
    if view.checks:
        yield "", ""
        yield from check_lines(view.checks)
    yield from next_lines(view.explanation)
    if bar is not None and bar.pause_hint:
        yield _row("pause", _PAUSE_HINT), "bold"
    if bar is not None and bar.keys:
        yield "", ""
        yield _KEYS, _EVENT


_LABELS: Final = {"stalled": "stalled", "disagreement": "disagree"}


def notice_lines(notice: Notice) -> Iterator[Line]:
    """What the watcher has to say, and what to do about it."""
    label = _LABELS.get(notice.event, "WILL FAIL" if notice.fails else "mind")
    yield _row(label, notice.text), "bold red" if notice.fails else "yellow"
    if notice.remedy:
        yield _row("next", notice.remedy), "bold"


def _label_width() -> int:
    return max(len(say(label)) for label in _ROWS) + 2


def _row(label: str, text: str) -> str:
    return f"{say_constant(label):{_label_width()}}{say(text)}"


def _progress_lines(progress: RestoreProgress, width: int) -> Iterator[Line]:
    if progress.replayed_lsn is None:
        return
    text = tr("at {lsn}", lsn=format_lsn(progress.replayed_lsn))
    if progress.goal_lsn is not None and progress.goal is not None:
        text = tr(
            "{at} of {lsn} ({goal})", at=text, lsn=format_lsn(progress.goal_lsn), goal=progress.goal
        )
    yield _row("WAL", text), ""
    fraction = progress.fraction
    if fraction is not None:
        pace = _pace(progress)
        cells = max(_BAR[0], min(_BAR[1], width - _label_width() - len(f"[] 100%  {pace}")))
        done = round(fraction * cells)
        bar = f"[{'#' * done}{'.' * (cells - done)}] {fraction:4.0%}"
        yield _row("", f"{bar}  {pace}".rstrip()), ""


def _pace(progress: RestoreProgress) -> str:
    rate, eta = progress.bytes_per_second, progress.eta
    words = f"{say(sized(rate))}/s" if rate and rate >= 1 else ""
    return f"{words}  {say(eta)}" if eta is not None else words


def _replay_lines(view: ScreenView) -> Iterator[Line]:
    summary = view.summary
    count = len(summary.restored_segments)
    if count or view.segment:
        now = f"{say(view.segment_doing or '')} {view.segment}  " if view.segment else ""
        done = say(tr("({count} restored from the archive)", count=count)) if count else ""
        yield _row("segments", f"{now}{done}".rstrip()), ""
    if view.receiver is not None:
        yield _row("streaming", _receiver_words(view.receiver, view.progress)), ""
    if view.prefetch is not None and view.prefetch.wal_distance_bytes:
        ahead, reads = sized(view.prefetch.wal_distance_bytes), view.prefetch.io_depth
        text = tr("{size} of WAL ahead", size=ahead)
        if reads:
            text = tr("{text}, {reads} under way", text=text, reads=counted(reads, "read"))
        yield _row("prefetch", text), ""
    committed = summary.last_transaction_at or view.replayed_at
    if committed is not None:
        yield _row("last commit", instant(committed)), ""
    if summary.new_timeline is not None:
        yield _row("timeline", tr("{timeline} (new)", timeline=summary.new_timeline)), ""
    elif view.timeline is not None:
        yield _row("timeline", str(view.timeline)), ""


def _receiver_words(receiver: WalReceiver, progress: RestoreProgress) -> str:
    words = tr(
        "{status} from {sender}",
        status=receiver.status or tr("not to be seen"),
        sender=receiver.sender or tr("an unknown host"),
    )
    received, replayed = receiver.received_lsn, progress.replayed_lsn
    if received is not None and replayed is not None and received > replayed:
        words = tr(
            "{words}, {size} received and not replayed",
            words=words,
            size=sized(received - replayed),
        )
    return words


def check_lines(checks: tuple[EndCheck, ...]) -> Iterator[Line]:
    """The four checks at the end, one a line."""
    marks = {True: (tr("ok"), "green"), False: (tr("BAD"), "bold red"), None: ("?", "yellow")}
    for check in checks:
        mark, style = marks[check.good]
        yield f"  {say(mark):4} {say(check.what)}: {say(check.found)}", style


def next_lines(explanation: Explanation) -> Iterator[Line]:
    """What it came to, why, and what to type."""
    if explanation.cause:
        yield _row("cause", explanation.cause), "yellow"
    if explanation.remedy:
        yield _row("next", explanation.remedy), "bold"


def summary_lines(
    summary: Summary, explanation: Explanation, checks: tuple[EndCheck, ...]
) -> Iterator[Line]:
    """The end of a plain-text run."""
    yield "", ""
    if summary.stop.kind is not None and summary.outcome != "none":
        yield _row("stop", stop_words(summary.stop)), ""
    if summary.last_transaction_at is not None:
        yield _row("last commit", instant(summary.last_transaction_at)), ""
    if summary.fatal_message:
        yield _row("fatal", summary.fatal_message), "red"
    yield from check_lines(checks)
    yield from next_lines(explanation)
    yield verdict_line(summary)
