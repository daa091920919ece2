"""`pitr-agent rules` in another language: what a person reads differs, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from agent.cli.agent import main
from agent.language import speak

_PROSE = ("summary", "description")


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    yield
    speak(None)


@pytest.mark.parametrize("source", ["agent", "textfile"])
def test_annotations_alone_are_translated(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    english, spanish = (_rules(source, lang, capsys) for lang in ("en", "es"))
    for said, translated in zip(english, spanish, strict=True):
        prose, in_spanish = (
            {name: rule["annotations"].pop(name) for name in _PROSE} for rule in (said, translated)
        )
        assert said == translated
        if "pitr_finding{" in said["expr"]:
            assert all(prose[name] != in_spanish[name] for name in _PROSE), said["alert"]


def _rules(source: str, lang: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    assert main(["rules", "--for", source, "--lang", lang]) == 0
    groups = yaml.safe_load(capsys.readouterr().out)["groups"]
    return [rule for group in groups for rule in group["rules"]]
