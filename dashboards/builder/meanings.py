"""What values are called, and their colours: the same on every dashboard.

Unknown has a colour and a word of its own wherever a value may be absent: it is never green.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from rules.alerting.prometheus_rules import AGENT_ALERTS
from rules.alerting.state import alert_name, can_alert
from rules.verdict.check import load_catalogue

GREEN: Final = "green"
YELLOW: Final = "yellow"
ORANGE: Final = "orange"
RED: Final = "red"
PURPLE: Final = "purple"  # not known
BLUE: Final = "blue"
GREY: Final = "text"

UNKNOWN: Final = "UNKNOWN"
# Rank and word of a verdict; the ranks are those of `rules.model.findings.verdict_of`.
VERDICTS: Final = {
    3: ("CRITICAL", RED),
    2: (UNKNOWN, PURPLE),
    1: ("WARNING", ORANGE),
    0: ("OK", GREEN),
}


def words(
    meaning: Mapping[int, tuple[str, str]], absent: str = UNKNOWN
) -> list[model.ValueMapping]:
    """Mappings of numbers to words with their colours, and of nothing to `absent`."""
    known = {
        str(number): model.ValueMappingResult(text=text, color=color, index=index)
        for index, (number, (text, color)) in enumerate(meaning.items())
    }
    return [model.ValueMap(options=known), *nothing_is(absent, index=len(known))]


def nothing_is(word: str, *, index: int = 0) -> list[model.ValueMapping]:
    """No value and NaN read as this word."""
    result = model.ValueMappingResult(text=word, color=PURPLE, index=index)
    match = model.SpecialValueMatch.NULL_AND_NAN
    options = model.DashboardSpecialValueMapOptions(match=match, result=result)
    return [model.SpecialValueMap(options=options)]


def steps(*above: tuple[float, str]) -> build.ThresholdsConfig:
    """Colours from these values on. Below the first, where "no value" falls too: unknown."""
    first = model.Threshold(value=None, color=PURPLE)
    rest = [model.Threshold(value=value, color=color) for value, color in above]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps([first, *rest])


# What bounds a share of an objective: over it is over it.
OF_OBJECTIVE: Final = ((0, GREEN), (0.8, YELLOW), (1, RED))
# Seconds that are left: the past, a day, more.
UNTIL: Final = ((-1e12, RED), (0, ORANGE), (86400, GREEN))
NONE_IS_GOOD: Final = ((0, GREEN), (1, ORANGE))


def alert_names() -> list[model.ValueMapping]:
    """A check's id as the name of its alert, which is the name of its runbook."""
    alerting = [check for check in load_catalogue().values() if can_alert(check)]
    return [model.ValueMap(options=_texts({c.id: alert_name(c.id) for c in alerting}))]


def alert_titles() -> list[model.ValueMapping]:
    """A check's id, or an alert's name, as what it says in a line."""
    titles = {check.id: check.title for check in load_catalogue().values() if can_alert(check)}
    titles |= {alert_name(check_id): title for check_id, title in titles.items()}
    titles |= {alert.name: alert.title for alert in AGENT_ALERTS}
    return [model.ValueMap(options=_texts(titles))]


def fixed(color: str) -> list[model.DynamicConfigValue]:
    """One curve's colour, whatever its values."""
    return [model.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})]


def severities() -> list[model.ValueMapping]:
    """The words of findings in their colours; in the order of the alphabet the worst is first."""
    colors = {"critical": RED, "unknown": PURPLE, "warning": ORANGE}
    return [
        model.ValueMap(options={s: model.ValueMappingResult(color=c) for s, c in colors.items()})
    ]


def _texts(texts: Mapping[str, str]) -> dict[str, model.ValueMappingResult]:
    return {
        key: model.ValueMappingResult(text=text, index=index)
        for index, (key, text) in enumerate(texts.items())
    }
