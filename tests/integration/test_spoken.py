"""In another language the verdict is the same, and nothing of ours stays in English.

What was forgotten shows in a language that nobody speaks: there, our letters have accents.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import forked
from tests.fix_check import pitr_check, timeless
from tests.fix_repositories import Samples
from tests.unpack import unpack_tar
from translations.catalogues import write_pseudo_catalogue

SAMPLES = Path(__file__).parent.parent / "data"
CASES = {
    path.name.removesuffix(".tar.xz"): path
    for folder in ("archives", "truth")
    for path in sorted((SAMPLES / folder).glob("*.tar.xz"))
}
SPOKEN = [
    pytest.param(case, marks=() if case in ("gap_middle", "good_tar_19") else pytest.mark.campaign)
    for case in CASES
]
NOW = ("--now", "2026-11-30T12:00:00Z")
# Words that no catalogue has: values of options, kinds of damage, commands, and what the server
# or a library says.
CHOICES = re.compile(r"\{[\w,]+\}|\b\w+(\|\w+)+|\[-{1,2}[^]]*\]")
SERVERS_WORDS = re.compile(
    r"(FATAL|PANIC|LOG|HINT|ERROR|WARNING): .*|recovery stopping .*|'.*'|pg_basebackup base backup"
    r"|^ +(barman|pgbackrest|wal-g) .*|gzip(: CRC check failed.*)?|\((truncated|bad_crc)\)"
)
PLAIN = re.compile(r"(?<![\w/.:'_%-])[a-z]{3,}(?![\w/.:'_%=-])")


def forgotten(text: str) -> list[str]:
    """The lines with two English words or more, side by side or not."""
    return [
        line
        for line in text.splitlines()
        if sum(
            not set(word).isdisjoint("aceinouy")
            for word in PLAIN.findall(SERVERS_WORDS.sub("", CHOICES.sub("", line)))
        )
        > 1
    ]


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("spoken")
    for case, path in CASES.items():
        unpack_tar(path, home / case)
    return home


@pytest.fixture(scope="session")
def beside_ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which `xx` can be spoken."""
    home = tmp_path_factory.mktemp("languages")
    write_pseudo_catalogue(home)
    return {**os.environ, "PYTHONPATH": str(home)}


def questions(home: Path) -> list[tuple[str, ...]]:
    archive, backup = ("--archive", f"{home}/archive"), ("--backup", f"{home}/backup")
    return [
        (*archive, *backup, "--backup-depth", "label", *NOW),
        (*archive, *backup, "--backup-depth", "label", "--target-name", "no_such_point", *NOW),
        ("plan", *archive, *backup, "--target-time", "2026-11-22T12:46:48Z", *NOW),
        ("retention", *archive, *backup),
        ("windows", *archive, *backup, *NOW),
        ("find", *archive),
    ]


@pytest.mark.parametrize("case", SPOKEN)
def test_spanish_changes_no_document_and_no_status(unpacked: Path, case: str) -> None:
    for question in questions(unpacked / case):
        english = pitr_check(*question, "--format", "json")
        spanish = pitr_check(*question, "--format", "json", "--lang", "es")
        assert spanish.status == english.status, question
        assert timeless(json.loads(spanish.out)) == timeless(json.loads(english.out))
        assert pitr_check(*question, "--lang", "es").status == english.status


LOGS = [path for folder in ("situations", "field") for path in (SAMPLES / folder).glob("*.log")]


@pytest.mark.parametrize("log", sorted(LOGS), ids=lambda path: path.stem)
def test_spanish_tells_the_same_of_a_restore(log: Path) -> None:
    asked = ("pitr-watch", "--log", log, "--once")
    english, spanish = (
        forked.run(*asked, "--format", "json", "--lang", language) for language in ("en", "es")
    )
    assert (spanish.returncode, spanish.stdout) == (english.returncode, english.stdout)
    assert forked.run(*asked, "--lang", "es").returncode == english.returncode


@pytest.mark.parametrize("case", SPOKEN)
def test_nothing_stays_in_english(unpacked: Path, case: str, beside_ours: dict[str, str]) -> None:
    for question in questions(unpacked / case):
        assert forgotten(say_in_xx(question, beside_ours)) == [], question


STORED = sorted(
    path.name.removesuffix(".tar.xz") for path in (SAMPLES / "repositories").glob("*.tar.xz")
)


@pytest.mark.parametrize("case", STORED)
def test_repositories_are_told_of_in_the_language(
    samples: Samples, case: str, beside_ours: dict[str, str]
) -> None:
    sample = samples(case)
    asked, secrets = ("--repository", sample.url(1), *NOW), sample.environment
    english, spanish = (
        forked.run("pitr-check", *asked, "--format", "json", "--lang", lang, environment=secrets)
        for lang in ("en", "es")
    )
    assert spanish.returncode == english.returncode
    if english.stdout:
        assert timeless(json.loads(spanish.stdout)) == timeless(json.loads(english.stdout))
    assert forgotten(say_in_xx(asked, {**secrets, **beside_ours})) == []


HELPED = [
    ("pitr-check",),
    *(
        ("pitr-check", word)
        for word in (
            "clean-drills", "explain", "find", "fleet", "plan", "report", "retention",
            "verify-evidence", "windows",
        )
    ),
    ("pitr-watch",),
    ("pitr-lab",),
    ("pitr-agent",),
    *(("pitr-agent", word) for word in ("run", "check-config", "rules", "fetch-wal")),
]  # fmt: skip


@pytest.mark.parametrize("command", HELPED, ids=" ".join)
def test_no_help_stays_in_english(command: tuple[str, ...], beside_ours: dict[str, str]) -> None:
    # What fetch-wal refuses is read in the server's log.
    for option in ("--help", *(["--no-such-option"] if command[-1] != "fetch-wal" else [])):
        said = say_in_xx((*command[1:], option), beside_ours, program=command[0])
        assert forgotten(said) == [], option


def say_in_xx(
    words: tuple[str, ...], environment: dict[str, str], program: str = "pitr-check"
) -> str:
    ran = subprocess.run(
        [Path(sys.executable).with_name(program), *words, "--lang", "xx"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in ran.stderr
    return ran.stdout + ran.stderr
