"""`lang` of the configuration: what the agent says to persons, and what stays as it is."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import yaml

from agent.language import say, speaking
from rules.verdict.check import load_catalogue
from tests.fix_watched import Watched
from tests.integration.test_page import get
from tests.waiting import wait_until

RELOADED = "the configuration is reloaded"


def notified(file: Path) -> dict[str, Any]:
    wait_until(lambda: file.exists() and file.read_text(), "somebody is told")
    document: dict[str, Any] = json.loads(file.read_text())
    return document["alerts"][0]


def test_persons_are_told_in_it_and_programs_are_not(watched: Watched, tmp_path: Path) -> None:
    check, told = load_catalogue()["wal_gap"], tmp_path / "told.json"
    with speaking("es"):
        why, remedy = say(check.why), say(check.remedy)
    assert why != check.why
    watched.config["lang"] = "es"
    watched.break_it()
    watched.start({"command": ["/bin/sh", "-c", f"cat > {told}.new && mv {told}.new {told}"]})
    alert = notified(told)
    assert why in alert["annotations"]["description"]
    assert alert["labels"] == {
        "alertname": "PitrWalGap", "cluster": "lab", "id": "wal_gap", "severity": "critical",
    }  # fmt: skip
    page = f"{watched.agent.url}/clusters/lab"
    own, english = get(page), get(page, **{"Accept-Language": "en"})
    assert (own.headers["Content-Language"], english.headers["Content-Language"]) == ("es", "en")
    assert remedy in own.body and remedy not in english.body
    assert check.remedy in english.body and check.remedy not in own.body
    (said,) = json.loads(get(f"{watched.agent.url}/api/v1/alerts").body)
    assert said["remedy"] == check.remedy
    assert "1 segment missing on timeline 1" in watched.agent.log.read_text()

    watched.agent.config.write_text(yaml.safe_dump(watched.config | {"lang": None}))
    watched.signal(signal.SIGHUP)
    wait_until(lambda: RELOADED in watched.agent.log.read_text(), "it is reloaded")
    assert get(page).headers["Content-Language"] == "en"
    assert get(page, **{"Accept-Language": "es-AR"}).headers["Content-Language"] == "es-AR"
