"""Alerts over time: pending, firing, resolved; blind changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rules.alerting.state import KEEP_RESOLVED, AlertState, advance, shift
from rules.model.findings import Finding, Severity
from rules.verdict.check import Judgement, load_catalogue

START = datetime(2026, 1, 1, tzinfo=UTC)
CHECKS = load_catalogue()
ID = "archiver_failing"
HOLD = timedelta(seconds=CHECKS[ID].hold_seconds)


def judged(*, found: bool = False, known: bool = True, check: str = ID) -> Judgement:
    finding = Finding(
        id=check, severity=CHECKS[check].severity, summary="it fails", remedy="mend it"
    )
    return Judgement(findings=(finding,) if found else (), known={check: known})


def states(*steps: tuple[timedelta, Judgement]) -> list[AlertState | None]:
    alerts, seen = {}, []
    for after, judgement in steps:
        alerts = advance(alerts, judgement, CHECKS, START + after)
        seen.append(alerts[ID].state if ID in alerts else None)
    return seen


def test_it_fires_when_it_has_held_and_resolves_when_it_is_gone() -> None:
    second = timedelta(seconds=1)
    assert states(
        (0 * second, judged(found=True)),
        (HOLD - second, judged(found=True)),
        (HOLD, judged(found=True)),
        (HOLD + second, judged()),
        (HOLD + second + KEEP_RESOLVED, judged()),
    ) == [AlertState.PENDING, AlertState.PENDING, AlertState.FIRING, AlertState.RESOLVED, None]


def test_what_does_not_hold_is_never_said() -> None:
    assert states((HOLD * 0, judged(found=True)), (HOLD / 2, judged())) == [
        AlertState.PENDING,
        None,
    ]


def test_blindness_neither_fires_nor_resolves() -> None:
    assert states(
        (HOLD * 0, judged(found=True)),
        (HOLD * 2, judged(known=False)),
        (HOLD * 3, judged(found=True)),
        (HOLD * 4, judged(known=False)),
        (HOLD * 5, judged()),
    ) == [
        AlertState.PENDING,
        AlertState.PENDING,
        AlertState.FIRING,
        AlertState.FIRING,
        AlertState.RESOLVED,
    ]


def test_a_relapse_starts_anew() -> None:
    alerts = {}
    for minutes, found in ((0, True), (10, True), (11, False), (12, True)):
        now = START + timedelta(minutes=minutes)
        alerts = advance(alerts, judged(found=found), CHECKS, now)
    assert alerts[ID].state is AlertState.PENDING
    assert alerts[ID].since == START + timedelta(minutes=12)
    assert alerts[ID].fired_at is None


def test_an_info_never_alerts() -> None:
    info = next(check.id for check in CHECKS.values() if check.severity is Severity.INFO)
    assert advance({}, judged(found=True, check=info), CHECKS, START) == {}


def test_a_check_that_does_not_apply_any_more_is_over() -> None:
    alerts = advance({}, judged(found=True), CHECKS, START)
    alerts = advance(alerts, judged(found=True), CHECKS, START + HOLD)
    alerts = advance(alerts, Judgement(findings=(), known={}), CHECKS, START + HOLD)
    assert alerts[ID].state is AlertState.RESOLVED


def test_a_clock_that_is_set_neither_hurries_nor_delays_an_alert() -> None:
    for hours in (-1, 1):
        step = timedelta(hours=hours)
        alerts = advance({}, judged(found=True), CHECKS, START)
        alerts = shift(alerts, step)
        alerts = advance(alerts, judged(found=True), CHECKS, START + step + HOLD / 2)
        assert alerts[ID].state is AlertState.PENDING
        alerts = advance(alerts, judged(found=True), CHECKS, START + step + HOLD)
        assert alerts[ID].state is AlertState.FIRING
        assert alerts[ID].fired_at == START + step + HOLD
        alerts = shift(alerts, -step)
        alerts = advance(alerts, judged(), CHECKS, START + HOLD)
        assert alerts[ID].state is AlertState.RESOLVED


def test_what_was_kept_by_a_clock_that_ran_ahead_still_fires() -> None:
    alerts = advance({}, judged(found=True), CHECKS, START + timedelta(days=1))
    for after in (0 * HOLD, HOLD):
        alerts = advance(alerts, judged(found=True), CHECKS, START + after)
    assert alerts[ID].state is AlertState.FIRING
    assert alerts[ID].fired_at == START + HOLD
